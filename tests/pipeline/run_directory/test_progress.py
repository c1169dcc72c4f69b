from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.run_directory.progress import RecorderProgress, read_progress, write_progress


def test_progress_is_empty_at_first(tmp_path: Path) -> None:
    assert read_progress(tmp_path) == RecorderProgress(run="", taken={}, finished=False)


def test_progress_is_read_as_it_was_written(tmp_path: Path) -> None:
    progress = RecorderProgress("run", {"tracklets:gate": 7}, finished=True)
    write_progress(tmp_path, RecorderProgress("run"))
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress


@pytest.mark.parametrize("content", [b"", b"{", b'{"taken": 3}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recorder.json").write_bytes(content)
    with pytest.raises(UserError, match=r"recorder\.json is damaged"):
        read_progress(tmp_path)
