"""From crops of any size to the input of a network."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid_model.resize import resize


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """The input that a network expects, and the kind of its file.

    ``height`` and ``width`` are pixels. A pixel value 0..255 becomes ``(value * scale - mean) /
    std``; ``mean`` and ``std`` follow the ``colour`` order.
    """

    height: int
    width: int
    colour: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def resize_crops(crops: list[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """BGR crops ``(h, w, 3)`` as pictures ``(N, height, width, 3)``: bilinear with antialiasing,
    with the very pixels of `reid_model.data.transforms.EvaluationTransform`.

    Raises ValueError for a crop that is not uint8 BGR or has no pixels.
    """
    pictures = np.empty((len(crops), height, width, 3), np.uint8)
    for picture, crop in zip(pictures, crops, strict=True):
        _check_crop(crop)
        picture[:] = resize(np.ascontiguousarray(crop), height, width)
    return pictures


def normalise(pictures: NDArray[np.uint8], spec: EmbedderSpec) -> NDArray[np.float32]:
    """BGR pictures ``(N, height, width, 3)`` as the network's input ``(N, 3, height, width)``
    float32."""
    ordered = pictures[..., ::-1] if spec.colour == "rgb" else pictures
    gain, shift = gain_and_shift(spec)
    return np.ascontiguousarray((ordered * gain - shift).transpose(0, 3, 1, 2))


def gain_and_shift(spec: EmbedderSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``(3,)`` each, in the order of ``colour``: a value becomes ``value * gain - shift``."""
    std = np.asarray(spec.std, np.float32)
    return np.float32(spec.scale) / std, np.asarray(spec.mean, np.float32) / std


def _check_crop(crop: NDArray[np.uint8]) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or crop.size == 0:
        raise ValueError(
            f"a crop must be (h, w, 3) uint8 BGR with at least one pixel, "
            f"got {crop.shape} {crop.dtype}"
        )
