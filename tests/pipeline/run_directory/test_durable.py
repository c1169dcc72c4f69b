import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.run_directory.durable import append_line, exclusive_writer, make_folder, read_lines


def test_the_parent_of_every_new_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    )
    make_folder(tmp_path / "a" / "b")
    assert synced == [str(tmp_path), str(tmp_path / "a")]
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    with exclusive_writer(tmp_path):
        with pytest.raises(UserError, match=f"another recorder writes to {tmp_path}"):
            with exclusive_writer(tmp_path):
                pass
    with exclusive_writer(tmp_path):
        pass


def test_lines_are_read_but_for_one_that_was_cut(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert read_lines(log, dict[str, int]) == []
    append_line(log, '{"a":1}')
    append_line(log, '{"a":2}')
    with log.open("ab") as file:
        file.write(b'{"a":')
    assert read_lines(log, dict[str, int]) == [{"a": 1}, {"a": 2}]


def test_a_log_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    (tmp_path / "log.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        append_line(tmp_path / "log.jsonl", "{}")
    assert (tmp_path / "other").read_bytes() == b""
