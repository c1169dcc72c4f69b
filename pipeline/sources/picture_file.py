"""Read the pictures in a file: one, or those of an animation or of several pages."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

#: Pictures that are decoded at a time, so that a long animation does not fill the memory.
_AT_ONCE = 16


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
