"""How much a crop can tell of a person: a number that decides which crops are embedded.

The quality of a box is the product of factors, each 0..1 and each about one way in which a crop
disappoints a ReID net. A product, for one bad reason is enough: a sharp, tall crop of somebody
hidden behind another person shows the wrong person. The detector's score counts by its square
root, since it already falls when a person is small or hidden.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trackers.boxes import areas, intersections

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
