"""The person to search for in a picture."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trackers.detections import Detections

Image = NDArray[np.uint8]

#: A file of more bytes is no picture of a person.
MOST_BYTES = 32_000_000
_MOST_PIXELS = 100_000_000
# Whoever is less sure to be a person is not asked about.
_SURE = 0.5
_LEAST_PX = 8


def read_file(path: Path) -> bytes:
    """The content of a picture file. Raises UserError when it cannot be read."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} has more than {MOST_BYTES // 1_000_000} MB: give a picture")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the picture {path}: {error.strerror or error}") from error


def decoded(data: bytes, name: str) -> Image:
    """The picture in ``data``, ``(H, W, 3)`` uint8 BGR, upright; ``name`` is for errors.

    Raises UserError when it is no picture, an animation or too large.
    """
    raw = np.frombuffer(data, np.uint8)
    expected = "expected a picture of a person, such as a .jpg or .png file"
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if len(raw) else None
    except cv2.error:
        # OpenCV's own limits of size.
        image = None
    if image is None:
        raise UserError(f"{name} is damaged or not a picture: {expected}")
    if image.shape[0] * image.shape[1] > _MOST_PIXELS:
        raise UserError(f"{name} has more than {_MOST_PIXELS // 1_000_000} million pixels")
    if min(image.shape[:2]) < _LEAST_PX:
        height, width = image.shape[:2]
        raise UserError(f"{name} has only {width}x{height} pixels: {expected}")
    if _is_animated(raw):
        raise UserError(f"{name} is an animation or has several pages: {expected}, one picture")
    return np.asarray(image, np.uint8)


def _is_animated(raw: NDArray[np.uint8]) -> bool:
    start = raw[:4].tobytes()
    if start in (b"II*\0", b"MM\0*"):
        return cv2.imdecodemulti(raw, cv2.IMREAD_REDUCED_GRAYSCALE_8, range=(0, 2))[0] and (
            len(cv2.imdecodemulti(raw, cv2.IMREAD_REDUCED_GRAYSCALE_8)[1]) > 1
        )
    if start in (b"GIF8", b"RIFF", b"\x89PNG"):
        # The decoder of webp takes a row alone (OpenCV 4.14).
        found, animation = cv2.imdecodeanimation(raw[None], 0, 2)
        return bool(found) and len(animation.frames) > 1
    return False


def person_in(image: Image, people: Detections, name: str, number: int | None) -> Image:
    """The person of a picture: the only one, or the one with a ``number``, counted from the left.

    Number 0 is the whole picture. Raises UserError without a person, and with several if none is
    chosen.
    """
    if number == 0:
        return image
    boxes = people.boxes[people.scores >= _SURE]
    boxes = boxes[np.argsort(boxes[:, 0], kind="stable")]
    if not len(boxes):
        raise UserError(
            f"no person is found in {name}: expected a picture of one, or --person 0 for the whole "
            "picture where it shows nothing else"
        )
    if number is None and len(boxes) > 1:
        raise UserError(f"{name} shows {len(boxes)} people: give --person, {_listed(boxes)}")
    if number is not None and not 1 <= number <= len(boxes):
        raise UserError(f"{name} has no person {number}: give --person, {_listed(boxes)}")
    left, top, right, bottom = boxes[(number or 1) - 1].round().astype(int)
    return image[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)]


def _listed(boxes: NDArray[np.float32]) -> str:
    places = [
        f"{number} at x {round(float(box[0]))}-{round(float(box[2]))}"
        for number, box in enumerate(boxes[:9], 1)
    ]
    more = [] if len(boxes) <= 9 else ["..."]
    return ", ".join([*places, *more]) + " pixels from the left"
