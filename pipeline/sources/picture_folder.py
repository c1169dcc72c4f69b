"""Pictures as a source: a folder, a glob pattern, or one file of several, such as an animation."""

import glob
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import cv2.utils.logging as cv2_logging
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.clock import start_of
from pipeline.sources.files import readable_file
from pipeline.sources.picture import BgrPicture
from pipeline.sources.redact import redact
from pipeline.sources.source import Frame
from pipeline.sources.source_kinds import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    is_glob,
    is_picture,
    may_be_picture,
)

_LOG = logging.getLogger(__name__)
_DEFAULT_FPS = 25.0
_NAMES_SHOWN = 3
Image = NDArray[np.uint8]

#: Pictures that are decoded at a time, so that a long animation does not fill the memory.
_AT_ONCE = 16


class PictureSource:
    """One camera from pictures in natural order of their names, at ``config.fps`` (default 25).

    A file of several pictures (TIFF, animated GIF, WebP, PNG or AVIF) gives all of them; without
    ``config.fps`` an animation is played at its own speed. The pictures may differ in size;
    ``width`` and ``height`` are those of the first readable one. The first timestamp is the
    configured start, else the epoch.
    """

    live = False

    def __init__(self, camera_id: str, source: str, config: CameraConfig) -> None:
        self.camera_id = camera_id
        self.fault = ""
        self._paths = picture_paths(source)
        self._start, self.timestamp_origin = start_of(config, {})
        # Unreadable pictures are reported once, by name, in ``fault``; OpenCV must not log them.
        cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
        found = ((image, shown_s) for _, image, shown_s in self._images() if image is not None)
        first, shown_s = next(found, (None, None))
        if first is None:
            raise UserError(
                f"{source}: none of its {len(self._paths)} pictures can be decoded "
                f"(the first is {self._paths[0].name}). Expected undamaged pictures"
            )
        self._fps = config.fps
        self.fps = config.fps or (1 / shown_s if shown_s else _DEFAULT_FPS)
        self.height, self.width = first.shape[:2]
        self.span = self._start, self._start + len(self._paths) / self.fps

    def frames(self) -> Iterator[Frame]:
        """Every readable picture; an unreadable one skips its index and is named in ``fault``."""
        broken = []
        index, animated_s, animated = -1, 0.0, 0
        for index, (path, image, shown_s) in enumerate(self._images()):
            offset_s = (index - animated) / self.fps + animated_s
            if shown_s and not self._fps:
                animated, animated_s = animated + 1, animated_s + shown_s
            if image is None:
                broken.append(path.name)
            else:
                yield Frame(self.camera_id, index, self._start + offset_s, BgrPicture(image))
        if broken:
            self.fault = _describe(broken, index + 1)

    def _images(self) -> Iterator[tuple[Path, Image | None, float | None]]:
        for path in self._paths:
            for image, shown_s in read_pictures(path):
                yield path, image, shown_s


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


def _pictures_in(folder: Path) -> list[Path]:
    try:
        files = list(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    if not any(is_picture(path) for path in files):
        return []
    videos = sorted(path.name for path in files if path.suffix.lower() in VIDEO_SUFFIXES)
    if videos:
        _LOG.warning("%s: videos beside its pictures are left out: %s", folder, _some(videos))
    return [path for path in files if may_be_picture(path)]


def _natural(path: Path) -> tuple[list[str | int], str]:
    """A sort key that puts frame2 before frame10."""
    parts = re.split(r"([0-9]+)", str(path))
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], str(path)


def _describe(broken: list[str], total: int) -> str:
    return f"{len(broken)} of {total} pictures could not be read: {_some(broken)}"


def _some(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def read_pictures(path: Path) -> Iterator[tuple[Image | None, float | None]]:
    """Every picture, rotated upright, ``(H, W, 3)`` uint8 BGR, and for how many seconds it shows.

    The picture is None when it cannot be read, and the time is None when the file states none.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        yield None, None
        return
    several = _reader(bytes(data[:256]), path)
    part = several(data, 0) if several is not None else []
    if several is None or len(part) < 2:
        yield _single(data), None
        return
    count = 0
    while part:
        yield from part
        count += len(part)
        part = several(data, count) if len(part) == _AT_ONCE else []


def _reader(head: bytes, path: Path) -> Callable[[Image, int], list[Any]] | None:
    """How to read a file that may hold several pictures; None for one that holds one."""
    if path.suffix.lower() in (".tif", ".tiff"):
        return _pages
    marks = (b"acTL", b"ANIM", b"ftypavis")
    animated = head.startswith(b"GIF8") or any(mark in head for mark in marks)
    return _animation if animated else None


def _pages(data: Image, start: int) -> list[tuple[Image, None]]:
    try:
        _, images = cv2.imdecodemulti(data, cv2.IMREAD_COLOR, range=(start, start + _AT_ONCE))
    except cv2.error:
        return []
    return [(_contiguous(image), None) for image in images]


def _animation(data: Image, start: int) -> list[tuple[Image, float]]:
    try:
        _, animation = cv2.imdecodeanimation(data[None], start=start, count=_AT_ONCE)
    except cv2.error:
        return []
    seconds = [float(milliseconds) / 1000 for milliseconds in animation.durations]
    return [
        (_contiguous(image[:, :, :3]), shown)
        for image, shown in zip(animation.frames, seconds, strict=False)
    ]


def _single(data: Image) -> Image | None:
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else _contiguous(image)


def _contiguous(image: NDArray[Any]) -> Image:
    return np.ascontiguousarray(image, dtype=np.uint8)
