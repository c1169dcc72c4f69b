"""Letterboxing: scale and pad an image for the network, and map boxes back."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: The padding value that YOLO networks were trained with.
_GREY = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """An image of ``source`` (height, width) scaled to ``inner`` and padded to ``outer``.

    ``left`` and ``top`` are the padding in pixels before the scaled image.
    """

    source: tuple[int, int]
    inner: tuple[int, int]
    outer: tuple[int, int]
    left: int
    top: int

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The scaled and padded copy of a BGR image: ``(*outer, 3)`` uint8."""
        height, width = self.inner
        canvas = np.full((*self.outer, 3), _GREY, np.uint8)
        inner = canvas[self.top : self.top + height, self.left : self.left + width]
        if self.inner == self.source:
            inner[:] = image
        else:
            inner[:] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        return canvas

    def to_source(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map boxes ``(N, 4)`` xyxy from the padded image to the source image, clipped to it."""
        (height, width), (inner_height, inner_width) = self.source, self.inner
        gain = np.array([inner_width / width, inner_height / height] * 2, np.float32)
        shift = np.array([self.left, self.top] * 2, np.float32)
        limit = np.array([width, height] * 2, np.float32)
        return np.asarray(np.clip((boxes - shift) / gain, 0, limit), np.float32)


def fit(source: tuple[int, int], size: int, stride: int) -> Letterbox:
    """Scale so that the longer side is ``size``, pad both to the next multiple of ``stride``."""
    inner, missing = _scale(source, (size, size))
    return _pad(source, inner, (missing[0] % stride, missing[1] % stride))


def fit_fixed(source: tuple[int, int], outer: tuple[int, int]) -> Letterbox:
    """Scale to fit into ``outer`` (height, width) and pad to exactly that."""
    inner, missing = _scale(source, outer)
    return _pad(source, inner, missing)


def _scale(
    source: tuple[int, int], outer: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size of the scaled image and the remaining padding to ``outer``, as (height, width)."""
    factor = min(outer[0] / source[0], outer[1] / source[1])
    inner = max(round(source[0] * factor), 1), max(round(source[1] * factor), 1)
    return inner, (outer[0] - inner[0], outer[1] - inner[1])


def _pad(source: tuple[int, int], inner: tuple[int, int], missing: tuple[int, int]) -> Letterbox:
    # An odd pixel of padding goes after the image, as in training.
    top, left = missing[0] // 2, missing[1] // 2
    outer = inner[0] + missing[0], inner[1] + missing[1]
    return Letterbox(source, inner, outer, left, top)
