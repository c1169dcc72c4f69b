"""A folder or glob pattern of pictures as a source."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import cv2.utils.logging as cv2_logging
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.frame import Frame
from pipeline.sources.clock import start_of
from pipeline.sources.files import readable_file
from pipeline.sources.redact import redact
from pipeline.sources.source_kinds import PICTURE_SUFFIXES, is_glob, is_picture

_DEFAULT_FPS = 25.0
_NAMES_SHOWN = 3


class PictureSource:
    """One camera from pictures in natural order of their names, at ``config.fps`` (default 25).

    The pictures may differ in size; ``width`` and ``height`` are those of the first readable one.
    The first timestamp is the configured start, else the epoch.
    """

    live = False

    def __init__(self, camera_id: str, source: str, config: CameraConfig) -> None:
        self.camera_id = camera_id
        self.fault = ""
        self.fps = config.fps or _DEFAULT_FPS
        self._paths = picture_paths(source)
        self._start, self.timestamp_origin = start_of(config, {})
        # Unreadable pictures are reported once, by name, in ``fault``; OpenCV must not log them.
        cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
        first = next((image for _, image in self._images() if image is not None), None)
        if first is None:
            raise UserError(
                f"{source}: none of its {len(self._paths)} pictures can be decoded "
                f"(the first is {self._paths[0].name}). Expected undamaged pictures"
            )
        self.height, self.width = first.shape[:2]

    def frames(self) -> Iterator[Frame]:
        """Every readable picture; an unreadable one skips its index and is named in ``fault``."""
        broken = []
        for index, (path, image) in enumerate(self._images()):
            if image is None:
                broken.append(path.name)
            else:
                yield Frame(self.camera_id, index, self._start + index / self.fps, image)
        if broken:
            self.fault = _describe(broken, len(self._paths))

    def _images(self) -> Iterator[tuple[Path, NDArray[np.uint8] | None]]:
        return ((path, read_picture(path)) for path in self._paths)


def picture_paths(source: str) -> list[Path]:
    """The pictures in ``source`` (a folder, a pattern or one picture), in natural order.

    Raises UserError when there are none.
    """
    path = Path(source)
    if os.path.isdir(path):
        found = _pictures_in(path)
    elif is_glob(source):
        found = [
            path for match in glob.glob(source, recursive=True) if is_picture(path := Path(match))
        ]
    else:
        found = [readable_file(source)]
    if not found:
        known = ", ".join(sorted(PICTURE_SUFFIXES))
        raise UserError(f"{redact(source)} contains no pictures. Expected files ending in {known}")
    return sorted(found, key=_natural)


def read_picture(path: Path) -> NDArray[np.uint8] | None:
    """The picture, rotated upright: ``(H, W, 3)`` uint8 BGR; None when it cannot be read."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else np.ascontiguousarray(image, dtype=np.uint8)


def _pictures_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if is_picture(path)]
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error


def _natural(path: Path) -> tuple[list[str | int], str]:
    """A sort key that puts frame2 before frame10."""
    parts = re.split(r"([0-9]+)", str(path))
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], str(path)


def _describe(broken: list[str], total: int) -> str:
    names = ", ".join(broken[:_NAMES_SHOWN])
    more = len(broken) - _NAMES_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"{len(broken)} of {total} pictures could not be read: {names}{rest}"
