"""RUN/recorder.json: how far the recorder is, for one that starts again."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.errors import UserError
from pipeline.run_directory.schema import CameraRecord, TrackPart
from reid_model.atomic_file import replacing

_NAME = "recorder.json"


class RecorderProgress(msgspec.Struct):
    """Which run of the site it is, the last message of each sender, and whether that is all.

    ``site`` and ``redis`` say where it runs, the address as far as it holds no password;
    ``forgotten`` are parts of tracks of which nothing is recorded any more.
    """

    run: str = ""
    taken: dict[str, int] = {}
    finished: bool = False
    site: str = ""
    redis: str = ""
    forgotten: list[TrackPart] = []


def read_progress(folder: Path) -> RecorderProgress:
    """How far the recorder of the run directory ``folder`` is; raises UserError when damaged."""
    path = folder / _NAME
    if not path.is_file():
        return RecorderProgress()
    try:
        return msgspec.json.decode(path.read_bytes(), type=RecorderProgress)
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path} is damaged: {error}. Expected what fusetrack wrote; the rest of the run can "
            "be read, but not recorded further"
        ) from error


def write_progress(folder: Path, progress: RecorderProgress) -> None:
    """Note how far the recorder is. Raises OSError; then the file is as it was."""
    with replacing(folder / _NAME) as partial:
        partial.write_bytes(msgspec.json.encode(progress))


_CAMERAS_FILE = "cameras.json"


def read_cameras(folder: Path) -> list[CameraRecord]:
    """The cameras of the run directory ``folder`` by name; none before the first were written.

    Raises UserError when the file is damaged.
    """
    path = folder / _CAMERAS_FILE
    if not path.is_file():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[CameraRecord])
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path} is damaged: {error}. Expected the list of cameras that fusetrack wrote; "
            "take it away to read the rest"
        ) from error


def write_cameras(folder: Path, cameras: Iterable[CameraRecord]) -> None:
    """Write the cameras, sorted by name. Raises OSError; then the file is as it was."""
    ordered = sorted(cameras, key=lambda camera: camera.camera_id)
    with replacing(folder / _CAMERAS_FILE) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(ordered)))
