"""Select the crops of a track to embed: the best one of every time interval.

The first crops of a track tell who it is; later ones tell little more, so the intervals get longer
until it is doubted that the track still shows the same person.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from trackers.detections import areas, intersections

Crop = TypeVar("Crop")

# Timestamps are rounded: a frame that is early by this much still belongs to the next interval.
_ROUNDING_S = 1e-3
# After this many intervals they are longer by this factor.
_SHORT, _LONGER = 4, 4


@dataclass(frozen=True, slots=True)
class SelectedCrop(Generic[Crop]):
    """The best crop of one interval of a track; ``timestamp`` is seconds UTC, ``quality`` 0..1."""

    track_id: int
    timestamp: float
    quality: float
    crop: Crop


class CropSelector(Generic[Crop]):
    """Keeps, for each track, the best crop of the current interval.

    Intervals start at the first crop of a track: four of ``spacing_s`` seconds, then of four times
    as long. Crops below ``min_quality`` are ignored.
    """

    def __init__(self, spacing_s: float, min_quality: float) -> None:
        self._spacing_s = spacing_s
        self._min_quality = min_quality
        self._first: dict[int, float] = {}
        self._best: dict[int, SelectedCrop[Crop]] = {}

    def accepts(self, track_id: int, quality: float) -> bool:
        """Whether a crop of this quality would be kept; check before copying pixels."""
        best = self._best.get(track_id)
        return quality >= self._min_quality and (best is None or quality > best.quality)

    def add(self, track_id: int, timestamp: float, quality: float, crop: Crop) -> None:
        """Keep the crop as the best one of the current interval, replacing the one before.

        Call `pop_finished` first, and add only crops for which `accepts` is True.
        """
        self._first.setdefault(track_id, timestamp)
        self._best[track_id] = SelectedCrop(track_id, timestamp, quality, crop)

    def pop_finished(self, timestamp: float) -> list[SelectedCrop[Crop]]:
        """Remove and return the best crops of the intervals that ended by ``timestamp``."""
        finished = [
            track_id
            for track_id, best in self._best.items()
            if self._interval(track_id, best.timestamp) < self._interval(track_id, timestamp)
        ]
        return [self._best.pop(track_id) for track_id in sorted(finished)]

    def shorten(self, track_id: int, timestamp: float) -> None:
        """Start with short intervals again once they are long: it is unclear who a track shows."""
        if track_id in self._first and self._interval(track_id, timestamp) >= _SHORT:
            self._first[track_id] = timestamp

    def take_before(self, track_id: int, timestamp: float) -> SelectedCrop[Crop] | None:
        """Remove and return the crop of the current interval if it is from before a moment."""
        best = self._best.get(track_id)
        return self._best.pop(track_id) if best and best.timestamp < timestamp else None

    def close(self, track_id: int) -> SelectedCrop[Crop] | None:
        """Forget a track that has ended; returns its pending crop, if any."""
        self._first.pop(track_id, None)
        return self._best.pop(track_id, None)

    def _interval(self, track_id: int, timestamp: float) -> int:
        since = timestamp - self._first[track_id]
        number = math.floor((since + _ROUNDING_S) / self._spacing_s)
        return number if number < _SHORT else _SHORT + (number - _SHORT) // _LONGER


#: Height in pixels from which a crop has all the detail that the networks (128 or 256 rows) use.
FULL_HEIGHT = 128.0
#: Range of height / width of an upright person; beyond it, falling linearly to 0 at the limits.
UPRIGHT = (1.8, 3.4)
ASPECT_LIMITS = (0.8, 6.0)
#: Minimum distance of a box from the border, as a share of its size, to count as complete.
BORDER_MARGIN = 0.02
#: Factor of a crop that touches the border, which may still show most of the person.
AT_BORDER = 0.5
#: Strength of the finest detail (see `sharpness`) of a fully blurred crop, and of a sharp one.
DETAIL = (0.1, 0.4)
#: Factor of a fully blurred crop: clothes keep their colours.
BLURRED = 0.3

Floats = NDArray[np.float32]
#: The brightness ``(bottom - top, right - left)`` uint8 between left, top, right and bottom.
Brightness = Callable[[int, int, int, int], NDArray[np.uint8]]


class Qualities:
    """The quality 0..1 of the crop at each of the ``boxes`` ``(N, 4)`` xyxy in pixels, each with an
    area.

    ``size`` is the image's height and width in pixels; ``scores`` is ``(N,)`` in 0..1. Without
    ``brightness`` geometry alone counts. Sharpness takes longer than all else together, so it is
    looked at once it is asked for.
    """

    def __init__(
        self, boxes: Floats, size: tuple[int, int], scores: Floats, brightness: Brightness | None
    ) -> None:
        self._boxes = boxes
        self._size = size
        self._brightness = brightness
        self._known: dict[int, float] = {}
        #: What each has at most, ``(N,)`` float32.
        self.most = geometry_quality(boxes, size, scores)

    def of(self, row: int) -> float:
        """The quality of one crop."""
        if self._brightness is None:
            return float(self.most[row])
        if row not in self._known:
            sharp = sharpness(self._boxes[row : row + 1], self._size, self._brightness)
            self._known[row] = float(self.most[row] * sharp[0])
        return self._known[row]


def geometry_quality(boxes: Floats, size: tuple[int, int], scores: Floats) -> Floats:
    """The quality by box geometry alone, without the image: ``(N,)`` float32 in 0..1.

    ``size`` is the image's height and width in pixels.
    """
    factors = height_factor(boxes) * aspect_factor(boxes) * border_factor(boxes, size)
    quality = factors * (1 - occlusion(boxes)) * np.sqrt(scores)
    return np.asarray(quality, np.float32)


def height_factor(boxes: Floats) -> Floats:
    """Linear from 0 at zero height to 1 at ``FULL_HEIGHT`` pixels, and 1 above."""
    return np.asarray(np.minimum((boxes[:, 3] - boxes[:, 1]) / FULL_HEIGHT, 1))


def aspect_factor(boxes: Floats) -> Floats:
    """1 for the aspect ratio of an upright person, falling linearly to 0 at the limits."""
    aspect = (boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0])
    low, high = ASPECT_LIMITS
    return np.asarray(np.interp(aspect, (low, *UPRIGHT, high), (0, 1, 1, 0)))


def border_factor(boxes: Floats, size: tuple[int, int]) -> Floats:
    """1 for a box clear of the image border, falling linearly to ``AT_BORDER`` at the border.

    Beyond the border it is also multiplied by the share of the box inside the image.
    """
    height, width = size
    frame = np.array([[0, 0, width, height]], np.float32)
    box_size = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]], axis=1)
    gaps = np.concatenate([boxes[:, :2], frame[:, 2:] - boxes[:, 2:]], axis=1)
    nearest = (gaps / np.tile(box_size, 2)).min(axis=1)
    clear = np.interp(nearest, (0, BORDER_MARGIN), (AT_BORDER, 1))
    inside = intersections(boxes, frame)[:, 0] / areas(boxes)
    return np.asarray(clear * inside)


def occlusion(boxes: Floats) -> Floats:
    """The largest share 0..1 of each box that is covered by a single person in front of it.

    A person whose box ends lower in the image is nearer to the camera.
    """
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.float32)
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    shares = intersections(boxes, boxes) / areas(boxes)[:, None]
    return np.asarray(np.where(in_front, shares, 0).max(axis=1))


def sharpness(boxes: Floats, size: tuple[int, int], brightness: Brightness) -> Floats:
    """``BLURRED`` up to the lower value of ``DETAIL``, rising linearly to 1 at the upper: ``(N,)``.

    Detail is the standard deviation of the Laplacian divided by that of the grey values of the
    crop resized to 64 x 32, so that contrast and size hardly matter. A box outside the image has
    no detail.
    """
    detail = [_detail(box, size, brightness) for box in boxes]
    return np.interp(detail, DETAIL, (BLURRED, 1)).astype(np.float32)


def _detail(box: Floats, size: tuple[int, int], brightness: Brightness) -> float:
    height, width = size
    x1, y1 = np.floor(box[:2]).astype(int).clip(0)
    x2, y2 = np.minimum(np.ceil(box[2:]).astype(int), (width, height))
    if x2 <= x1 or y2 <= y1:
        return 0.0
    part = brightness(int(x1), int(y1), int(x2), int(y2))
    grey = cv2.resize(part, (32, 64), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    # Plus one grey level, for a crop without contrast.
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / (grey.std() + 1))
