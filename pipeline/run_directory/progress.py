"""RUN/recorder.json, the progress of the recorder, and RUN/cameras.json."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.run_directory.durable import damaged, read_value
from pipeline.run_directory.layout import is_plain_name
from pipeline.run_directory.schema import CameraRecord, TrackPart
from reid_model.atomic_file import replacing

_NAME = "recorder.json"


class RecorderProgress(msgspec.Struct):
    """Progress of a recorder: the run, the last message of each sender, and whether it finished.

    ``site`` and ``redis`` are the site and its address, empty if that contains a password;
    ``forgotten`` are the parts of tracks that must not be recorded any more. ``reached`` is the
    time on the wall, seconds UTC, at which the newest frame of each camera was recorded.
    """

    run: str = ""
    taken: dict[str, int] = {}
    finished: bool = False
    site: str = ""
    redis: str = ""
    forgotten: list[TrackPart] = []
    reached: dict[str, float] = {}


def read_progress(folder: Path) -> RecorderProgress:
    """The recorder's progress in the run directory ``folder``; UserError if the file is damaged."""
    path = folder / _NAME
    if not path.is_file():
        return RecorderProgress()
    return read_value(
        path, RecorderProgress, "the rest of the run can be read, but recording cannot continue"
    )


def write_progress(folder: Path, progress: RecorderProgress) -> None:
    """Write the recorder's progress. Raises OSError and then leaves the file unchanged."""
    with replacing(folder / _NAME) as partial:
        partial.write_bytes(msgspec.json.encode(progress))


_CAMERAS_FILE = "cameras.json"


def read_cameras(folder: Path) -> list[CameraRecord]:
    """The cameras of the run directory ``folder`` by name; empty before the first were written.

    Raises UserError when the file is damaged.
    """
    path = folder / _CAMERAS_FILE
    if not path.is_file():
        return []
    way_out = "remove the file to read the rest"
    cameras = read_value(path, list[CameraRecord], way_out)
    for camera in cameras:
        # Exports and videos are named after cameras.
        if not is_plain_name(camera.camera_id):
            raise damaged(path, f"a camera is called {camera.camera_id!r}", way_out)
    return cameras


def write_cameras(folder: Path, cameras: Iterable[CameraRecord]) -> None:
    """Write the cameras, sorted by name. Raises OSError and then leaves the file unchanged."""
    ordered = sorted(cameras, key=lambda camera: camera.camera_id)
    with replacing(folder / _CAMERAS_FILE) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(ordered)))
