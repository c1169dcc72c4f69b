"""Which crops of a track are worth embedding: the best one of every spell of time."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from trackers.detections import areas, intersections

Crop = TypeVar("Crop")

# Timestamps are rounded: a frame that comes this little early still opens the next spell.
_ROUNDING_S = 1e-3


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Crop]):
    """The best crop of one spell of a track."""

    track_id: int
    timestamp: float
    quality: float
    crop: Crop


class CropChoice(Generic[Crop]):
    """Keeps, for each track, the best crop of the current spell of ``spacing_s`` seconds.

    Spells are counted from the first offer of a track. Crops below ``min_quality`` never count.
    """

    def __init__(self, spacing_s: float, min_quality: float) -> None:
        self._spacing_s = spacing_s
        self._min_quality = min_quality
        self._first: dict[int, float] = {}
        self._best: dict[int, Chosen[Crop]] = {}

    def wants(self, track_id: int, quality: float) -> bool:
        """Whether a crop of this quality would be kept; ask before copying pixels."""
        best = self._best.get(track_id)
        return quality >= self._min_quality and (best is None or quality > best.quality)

    def offer(self, track_id: int, timestamp: float, quality: float, crop: Crop) -> None:
        """Keep the crop as the best of the current spell, in place of the one before.

        Call `take_finished` first, and offer only what `wants` wants.
        """
        self._first.setdefault(track_id, timestamp)
        self._best[track_id] = Chosen(track_id, timestamp, quality, crop)

    def take_finished(self, timestamp: float) -> list[Chosen[Crop]]:
        """The best crops of the spells that were over at ``timestamp``, by track."""
        finished = [
            track_id
            for track_id, best in self._best.items()
            if self._spell(track_id, best.timestamp) < self._spell(track_id, timestamp)
        ]
        return [self._best.pop(track_id) for track_id in sorted(finished)]

    def close(self, track_id: int) -> Chosen[Crop] | None:
        """Forget a track that has ended; returns the crop that was still waiting."""
        self._first.pop(track_id, None)
        return self._best.pop(track_id, None)

    def _spell(self, track_id: int, timestamp: float) -> int:
        since = timestamp - self._first[track_id]
        return int((since + _ROUNDING_S) / self._spacing_s)


#: Pixels of height from which a crop has all the detail that the nets (128 or 256 rows) use.
FULL_HEIGHT = 128.0
#: Height over width of an upright person, from and to; beyond it, linearly down to 0 at the limits.
UPRIGHT = (1.8, 3.4)
ASPECT_LIMITS = (0.8, 6.0)
#: Share of the box's size that must lie between it and the border for it to count as whole.
BORDER_MARGIN = 0.02
#: A crop that touches the border may still show most of a person.
AT_BORDER = 0.5
#: Strength of the finest detail (see ``sharpness``) of a crop that is all blur, and of a sharp one.
DETAIL = (0.1, 0.4)
#: A blurred crop is still worth this much: clothes keep their colours.
BLURRED = 0.3

Floats = NDArray[np.float32]


def crop_quality(boxes: Floats, image: NDArray[np.uint8], scores: Floats) -> Floats:
    """The quality 0..1 of the crop at each box, ``(N,)`` float32.

    ``boxes`` is ``(N, 4)`` xyxy in pixels, each with an area; ``image`` is ``(H, W, 3)`` uint8 BGR;
    ``scores`` is ``(N,)`` in 0..1.
    """
    height, width = image.shape[:2]
    quality = geometry_quality(boxes, (height, width), scores) * sharpness(boxes, image)
    return np.asarray(quality, np.float32)


def geometry_quality(boxes: Floats, size: tuple[int, int], scores: Floats) -> Floats:
    """The quality without a look at the picture, ``(N,)`` float32 in 0..1.

    ``size`` is the picture's height and width in pixels.
    """
    factors = height_factor(boxes) * aspect_factor(boxes) * border_factor(boxes, size)
    quality = factors * (1 - covered(boxes)) * np.sqrt(scores)
    return np.asarray(quality, np.float32)


def height_factor(boxes: Floats) -> Floats:
    """From 0 at no height linearly to 1 at ``FULL_HEIGHT`` pixels, and 1 above."""
    return np.asarray(np.minimum((boxes[:, 3] - boxes[:, 1]) / FULL_HEIGHT, 1))


def aspect_factor(boxes: Floats) -> Floats:
    """1 where height over width is that of an upright person, linearly to 0 at the limits."""
    aspect = (boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0])
    low, high = ASPECT_LIMITS
    return np.asarray(np.interp(aspect, (low, *UPRIGHT, high), (0, 1, 1, 0)))


def border_factor(boxes: Floats, size: tuple[int, int]) -> Floats:
    """1 for a box clear of the picture's border, linearly to ``AT_BORDER`` for one that touches it.

    Beyond the border it falls further, by the share of the box that lies inside.
    """
    height, width = size
    frame = np.array([[0, 0, width, height]], np.float32)
    box_size = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]], axis=1)
    gaps = np.concatenate([boxes[:, :2], frame[:, 2:] - boxes[:, 2:]], axis=1)
    nearest = (gaps / np.tile(box_size, 2)).min(axis=1)
    clear = np.interp(nearest, (0, BORDER_MARGIN), (AT_BORDER, 1))
    inside = intersections(boxes, frame)[:, 0] / areas(boxes)
    return np.asarray(clear * inside)


def covered(boxes: Floats) -> Floats:
    """The share 0..1 of each box that the one person who covers most of it, from in front, hides.

    Who stands lower in the picture is nearer to the camera.
    """
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.float32)
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    shares = intersections(boxes, boxes) / areas(boxes)[:, None]
    return np.asarray(np.where(in_front, shares, 0).max(axis=1))


def sharpness(boxes: Floats, image: NDArray[np.uint8]) -> Floats:
    """``BLURRED`` up to the lower value of ``DETAIL``, linearly to 1 at the upper one, ``(N,)``.

    Detail is the deviation of the Laplacian over the deviation of the grey values, so that neither
    contrast nor, on a crop brought to 64 x 32, the person's size matters much. A box outside the
    picture has none.
    """
    detail = [_detail(box, image) for box in boxes]
    return np.interp(detail, DETAIL, (BLURRED, 1)).astype(np.float32)


def _detail(box: Floats, image: NDArray[np.uint8]) -> float:
    height, width = image.shape[:2]
    x1, y1 = np.floor(box[:2]).astype(int).clip(0)
    x2, y2 = np.minimum(np.ceil(box[2:]).astype(int), (width, height))
    if x2 <= x1 or y2 <= y1:
        return 0.0
    small = cv2.resize(image[y1:y2, x1:x2], (32, 64), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    # One grey level more, for a crop without any contrast.
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / (grey.std() + 1))
