"""Composed pictures of people, things and backgrounds; what is visible of the person is known.

Trained on people who are cut out and put before other backgrounds, behind other people and in boxes
as detectors draw them, a network cannot recognise a person by the surroundings.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reid_model.data.labelled_picture import HEIGHT, WIDTH, Image, LabelledPicture
from reid_model.data.person_masks import BACKGROUND, PERSON, UNKNOWN

# The opacity of a cut-out fades over this many pixels.
_SOFT_PX = 1.0
# The range of a box's size against the person's, and of its shift in shares of its size.
_SCALE, _SHIFT = (0.8, 1.1), (0.08, 0.06)
# Who stands before a person hides a share of the person in this range.
_HIDDEN = 0.15, 0.7
_TRIES = 8
_LEAST_SIDE_PX = 40
_JPEG = 25, 85
# Inpainting is slow; a background is not looked at closely.
_INPAINT_PX = 32, 64


def opacity(mask: NDArray[np.int8]) -> NDArray[np.float32]:
    """How much of each pixel is the person when cut out: ``(H, W)`` 0..1.

    A pixel that only one of the two networks took for the person mostly is the person: bags and
    edges. Edges hold some of the background, so they are trimmed.
    """
    either = cv2.erode((mask != BACKGROUND).astype(np.uint8), np.ones((5, 5), np.uint8))
    solid = (either > 0) | (mask == PERSON)
    return np.asarray(cv2.GaussianBlur(solid.astype(np.float32), (0, 0), _SOFT_PX), np.float32)


def before(picture: LabelledPicture, background: Image, rng: Generator) -> LabelledPicture:
    """The person cut out and put before ``background`` ``(256, 128, 3)``, in another box."""
    matrix = _other_box(rng)
    share = _warped_share(opacity(picture.mask), matrix)
    image = _blended(_warped(picture.image, matrix), share, background)
    person = share > 0.5
    parts = _warped_labels(picture.parts, matrix, 0)
    return LabelledPicture(
        image,
        np.where(person, PERSON, BACKGROUND).astype(np.int8),
        np.where(person, np.where(parts == 0, UNKNOWN, parts), 0).astype(np.int8),
    )


def boxed(picture: LabelledPicture, rng: Generator) -> LabelledPicture:
    """The picture as it is, in another box; what the picture does not show is not known."""
    matrix = _other_box(rng)
    image = cv2.warpAffine(picture.image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return LabelledPicture(
        np.asarray(image, np.uint8),
        _warped_labels(picture.mask, matrix, UNKNOWN),
        _warped_labels(picture.parts, matrix, UNKNOWN),
    )


def behind_person(
    picture: LabelledPicture, other: LabelledPicture, rng: Generator
) -> LabelledPicture:
    """The person with ``other`` standing before, who hides 15 to 70 % of what was to be seen."""
    opaque = opacity(other.mask)
    for _ in range(_TRIES):
        scale = rng.uniform(0.8, 1.3)
        side = rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.7) * WIDTH
        matrix = _affine(scale, side, rng.uniform(-0.1, 0.45) * HEIGHT)
        share = _warped_share(opaque, matrix)
        if _hides(picture, share > 0.5):
            return _covered(picture, _warped(other.image, matrix), share)
    return picture


def behind_thing(picture: LabelledPicture, surface: Image, rng: Generator) -> LabelledPicture:
    """The person behind a wall, a post or a box that looks like ``surface`` ``(256, 128, 3)``."""
    for _ in range(_TRIES):
        share = cv2.GaussianBlur(_shape(rng), (0, 0), _SOFT_PX)
        if _hides(picture, share > 0.5):
            return _covered(picture, surface, np.asarray(share, np.float32))
    return picture


def as_filmed(picture: LabelledPicture, rng: Generator) -> LabelledPicture:
    """The same, as coarse, blurred and compressed as in video; where things are does not change."""
    image = picture.image
    height = round(float(rng.uniform(_LEAST_SIDE_PX * 2, HEIGHT)))
    small = cv2.resize(image, (height // 2, height), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.4, 1.2)))
    quality = int(rng.uniform(*_JPEG))
    packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    filmed = cv2.resize(unpacked, (WIDTH, HEIGHT))
    return replace(picture, image=np.asarray(filmed, np.uint8))


def emptied(picture: LabelledPicture) -> Image:
    """The background of a picture ``(256, 128, 3)``, filled in where the person was."""
    size = _INPAINT_PX
    hidden = cv2.dilate((picture.mask != BACKGROUND).astype(np.uint8), np.ones((13, 13), np.uint8))
    small = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(hidden, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    filled = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (WIDTH, HEIGHT))
    return np.where(hidden[..., None] > 0, filled, picture.image).astype(np.uint8)


def part_of_plate(plate: Image, rng: Generator) -> Image:
    """A piece ``(256, 128, 3)`` of a picture without people, lighter or darker."""
    tall = min(int(rng.uniform(0.2, 0.8) * plate.shape[0]), 2 * plate.shape[1])
    top = int(rng.integers(plate.shape[0] - tall + 1))
    left = int(rng.integers(plate.shape[1] - tall // 2 + 1))
    piece = cv2.resize(plate[top : top + tall, left : left + tall // 2], (WIDTH, HEIGHT))
    return np.asarray(cv2.convertScaleAbs(piece, alpha=float(rng.uniform(0.6, 1.4))), np.uint8)


def noise(rng: Generator) -> Image:
    """Coloured clouds ``(256, 128, 3)``, coarse or fine."""
    size = 2 ** int(rng.integers(1, 6))
    clouds = rng.normal(rng.uniform(40, 215, 3), rng.uniform(5, 60), (2 * size, size, 3))
    scaled = cv2.resize(clouds.clip(0, 255).astype(np.float32), (WIDTH, HEIGHT))
    return np.asarray(scaled, np.uint8)


def _other_box(rng: Generator) -> NDArray[np.float64]:
    across, down = (rng.uniform(-most, most) for most in _SHIFT)
    matrix = _affine(rng.uniform(*_SCALE), across * WIDTH, down * HEIGHT)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0.0, WIDTH - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return matrix


def _affine(scale: float, across: float, down: float) -> NDArray[np.float64]:
    """About the middle of the picture."""
    x, y = (1 - scale) * WIDTH / 2 + across, (1 - scale) * HEIGHT / 2 + down
    return np.array([[scale, 0.0, x], [0.0, scale, y]])


def _warped(image: Image, matrix: NDArray[np.float64]) -> Image:
    return np.asarray(cv2.warpAffine(image, matrix, (WIDTH, HEIGHT)), np.uint8)


def _warped_share(share: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(cv2.warpAffine(share, matrix, (WIDTH, HEIGHT)), np.float32)


def _warped_labels(
    labels: NDArray[np.int8], matrix: NDArray[np.float64], outside: int
) -> NDArray[np.int8]:
    # OpenCV does not warp int8.
    warped = cv2.warpAffine(
        labels.astype(np.int16),
        matrix,
        (WIDTH, HEIGHT),
        flags=cv2.INTER_NEAREST,
        borderValue=[outside],
    )
    return np.asarray(warped, np.int8)


def _hides(picture: LabelledPicture, over: NDArray[np.bool_]) -> bool:
    person = picture.mask == PERSON
    hidden = float((person & over).sum()) / max(int(person.sum()), 1)
    return _HIDDEN[0] <= hidden <= _HIDDEN[1]


def _covered(picture: LabelledPicture, image: Image, share: NDArray[np.float32]) -> LabelledPicture:
    over = share > 0.5
    return LabelledPicture(
        _blended(image, share, picture.image),
        np.where(over, BACKGROUND, picture.mask).astype(np.int8),
        np.where(over, 0, picture.parts).astype(np.int8),
    )


def _blended(over: Image, share: NDArray[np.float32], under: Image) -> Image:
    weight = share[..., None]
    return np.asarray((weight * over + (1 - weight) * under).round(), np.uint8)


def _shape(rng: Generator) -> NDArray[np.float32]:
    """Something before a person ``(256, 128)`` 0 or 1: from below, from a side, or in the air."""
    shape = np.zeros((HEIGHT, WIDTH), np.float32)
    kind = rng.integers(4)
    if kind == 0:
        shape[int(rng.uniform(0.45, 0.85) * HEIGHT) :] = 1
    elif kind == 1:
        edge = int(rng.uniform(0.25, 0.6) * WIDTH)
        shape[:, :edge] = 1
    elif kind == 2:
        left = int(rng.uniform(0.2, 0.6) * WIDTH)
        shape[:, left : left + int(rng.uniform(0.1, 0.3) * WIDTH)] = 1
    else:
        middle = int(rng.uniform(0.2, 0.8) * WIDTH), int(rng.uniform(0.3, 0.9) * HEIGHT)
        axes = int(rng.uniform(0.2, 0.5) * WIDTH), int(rng.uniform(0.1, 0.3) * HEIGHT)
        cv2.ellipse(shape, middle, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return shape[:, ::-1] if rng.random() < 0.5 else shape
