import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.run_directory.durable import make_folder, only_writer


def test_every_new_folder_is_synced_where_it_is_named(
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


def test_only_one_writes_into_a_folder(tmp_path: Path) -> None:
    with only_writer(tmp_path):
        with pytest.raises(UserError, match=f"another recorder writes into {tmp_path}"):
            with only_writer(tmp_path):
                pass
    with only_writer(tmp_path):
        pass
