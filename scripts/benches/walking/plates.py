"""Empty backgrounds for composed video, from the one recording with a standing camera."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

#: Width and height of a composed picture.
SIZE = 960, 540
_VIDEO = Path("pets2009") / "View_001_vtest.avi"
_SAMPLES = 40
# Of each camera: left, top and width of the part of the recording that it shows, as shares of its
# width; whether it is mirrored; and its brightness.
_PARTS = (
    (0.0, 0.1875, 1.0, False, 1.0),
    (0.3, 0.1, 0.7, True, 1.15),
    (0.0, 0.3, 0.6, False, 0.8),
    (0.4, 0.3, 0.6, False, 0.9),
    (0.0, 0.1, 0.8, True, 1.1),
    (0.2, 0.25, 0.7, True, 0.7),
)
#: So many cameras have a background of their own.
PLATES = len(_PARTS)


def plates(data: Path, cameras: int) -> list[Image]:
    """The backgrounds of ``cameras`` cameras, ``(H, W, 3)`` uint8 BGR of `SIZE`.

    Raises ValueError for more than there are, OSError when the recording cannot be read.
    """
    if cameras > PLATES:
        raise ValueError(f"there are backgrounds for {PLATES} cameras, not for {cameras}")
    empty = _median(data / _VIDEO)
    return [part_of(empty, *part) for part in _PARTS[:cameras]]


def part_of(
    image: Image, left: float, top: float, width: float, mirrored: bool, bright: float
) -> Image:
    """A part of ``image`` in the shape of `SIZE`."""
    pixels = image.shape[1]
    x, y, wide = round(left * pixels), round(top * pixels), round(width * pixels)
    part = image[y : y + wide * SIZE[1] // SIZE[0], x : x + wide]
    resized = cv2.resize(part[:, ::-1] if mirrored else part, SIZE)
    return np.asarray(cv2.convertScaleAbs(resized, alpha=bright), np.uint8)


def _median(video: Path) -> Image:
    capture = cv2.VideoCapture(str(video))
    step = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // _SAMPLES, 1)
    images = []
    number = 0
    while capture.grab():
        if number % step == 0:
            images.append(capture.retrieve()[1])
        number += 1
    capture.release()
    if not images:
        raise OSError(f"cannot read {video}")
    return np.asarray(np.median(np.stack(images), axis=0), np.uint8)
