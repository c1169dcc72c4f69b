"""From crops of any size to the batch of numbers that a network was trained on."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What a network expects to see, and which kind of file holds it.

    ``height`` and ``width`` are pixels. A pixel value 0..255 becomes ``(value * scale - mean) /
    std``; ``mean`` and ``std`` follow the ``colour`` order.
    """

    architecture: Literal["deep_sort", "openvino", "onnx"]
    height: int
    width: int
    colour: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def crops_to_batch(crops: list[NDArray[np.uint8]], spec: EmbedderSpec) -> NDArray[np.float32]:
    """Resize, reorder and normalise BGR crops ``(h, w, 3)``: ``(N, 3, height, width)`` float32.

    Raises ValueError for a crop that is not uint8 BGR or has no pixels.
    """
    batch = np.empty((len(crops), 3, spec.height, spec.width), np.float32)
    std = np.asarray(spec.std, np.float32)
    factor = np.float32(spec.scale) / std
    offset = np.asarray(spec.mean, np.float32) / std
    for row, crop in zip(batch, crops, strict=True):
        _check_crop(crop)
        pixels = cv2.resize(crop, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
        if spec.colour == "rgb":
            pixels = pixels[:, :, ::-1]
        row[:] = (pixels * factor - offset).transpose(2, 0, 1)
    return batch


def _check_crop(crop: NDArray[np.uint8]) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or crop.size == 0:
        raise ValueError(f"a crop must be (h, w, 3) uint8 BGR, got {crop.shape} {crop.dtype}")
