"""The log of the states of cameras: changes alone, each once, whatever happens to the last line."""

from pathlib import Path

import msgspec

from builders import camera
from pipeline.run_directory.camera_log import CameraChange, append_change, change_of, read_changes
from pipeline.run_directory.schema import CameraRecord


def live(detail: str = "", **fields: object) -> CameraRecord:
    values = {"state": "running", "detail": detail, "timestamp_origin": "rtcp", **fields}
    return msgspec.structs.replace(camera("gate"), **values)


def test_the_first_record_and_each_other_state_are_changes() -> None:
    lost = live("lost: no route")
    assert change_of(None, live(), 5.0) == CameraChange("gate", "running", "", 5.0)
    assert change_of(live(), live(frames=99), 6.0) is None
    assert change_of(live(), lost, 7.0) == CameraChange("gate", "lost", "no route", 7.0)
    assert change_of(lost, live("lost: no answer"), 8.0) is None


def test_a_recording_changes_at_its_last_frame() -> None:
    partial = msgspec.structs.replace(camera("gate"), state="partial", detail="it is cut")
    assert change_of(None, partial, 5.0) == CameraChange("gate", "partial", "it is cut", 1.0)


def test_changes_are_read_once_and_by_time(tmp_path: Path) -> None:
    assert read_changes(tmp_path) == []
    late, early = CameraChange("gate", "lost", "x", 3.0), CameraChange("gate", "running", "", 1.0)
    for change in (late, early, late):
        append_change(tmp_path, change)
    (log,) = tmp_path.iterdir()
    assert log.stat().st_mode & 0o777 == 0o600
    with log.open("ab") as file:
        file.write(b'{"camera_id": "ga')
    assert read_changes(tmp_path) == [early, late]
