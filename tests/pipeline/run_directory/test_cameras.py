import os
from pathlib import Path

import pytest

from builders import camera
from pipeline.errors import UserError
from pipeline.run_directory.progress import read_cameras, write_cameras


def test_cameras_are_read_by_name(tmp_path: Path) -> None:
    assert read_cameras(tmp_path) == []
    write_cameras(tmp_path, [camera("yard", frames=3), camera("gate")])
    assert read_cameras(tmp_path) == [camera("gate"), camera("yard", frames=3)]
    write_cameras(tmp_path, [])
    assert read_cameras(tmp_path) == []
    assert os.listdir(tmp_path) == ["cameras.json"]


def test_the_old_file_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cameras(tmp_path, [camera("gate")])

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_cameras(tmp_path, [camera("yard")])
    assert read_cameras(tmp_path) == [camera("gate")]
    assert os.listdir(tmp_path) == ["cameras.json"]


@pytest.mark.parametrize("text", ["", "{}", '[{"camera_id": "gate"}]', "[\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"cameras\.json is damaged: .*remove the file"):
        read_cameras(tmp_path)
