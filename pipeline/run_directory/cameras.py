"""RUN/cameras.json: what is known of each camera, replaced as a whole."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.errors import UserError
from pipeline.run_directory.durable import replacing
from pipeline.run_directory.schema import Camera

_NAME = "cameras.json"


def read_cameras(folder: Path) -> list[Camera]:
    """The cameras of the run directory ``folder`` by name; none before the first were written.

    Raises UserError when the file is damaged.
    """
    path = folder / _NAME
    if not path.is_file():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Camera])
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path} is damaged: {error}. Expected the list of cameras that fusetrack wrote; "
            "take it away to read the rest"
        ) from error


def write_cameras(folder: Path, cameras: Iterable[Camera]) -> None:
    """Write the cameras, sorted by name. Raises OSError; then the file is as it was."""
    ordered = sorted(cameras, key=lambda camera: camera.camera_id)
    with replacing(folder / _NAME) as file:
        file.write(msgspec.json.format(msgspec.json.encode(ordered)))
