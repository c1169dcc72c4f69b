"""Bilinear resizing with antialiasing, with the very pixels of PyTorch's, without PyTorch: to
import that takes longer than to embed a hundred crops."""

from functools import lru_cache
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

#: Weights are whole numbers below this one, so that their sums over bytes are exact.
_WEIGHT_LIMIT = 1 << 15
_MOST_BITS = 22


def resize(crop: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """``crop`` ``(h, w, 3)`` uint8 as ``(height, width, 3)``.

    The same as ``torch.nn.functional.interpolate`` of bytes with ``mode="bilinear"`` and
    ``antialias=True``: first along rows, rounded to bytes, then along columns.
    """
    narrowed = _transposed(_resize_first_axis(_transposed(crop), width))
    return _resize_first_axis(narrowed, height)


def _transposed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.transpose(picture), np.uint8)


def _resize_first_axis(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if len(picture) == size:
        return picture
    weights, bits = _weights(len(picture), size)
    sums = weights @ picture.reshape(len(picture), -1).astype(np.int32)
    rounded = (sums + (1 << bits - 1)) >> bits
    return np.asarray(rounded, np.uint8).reshape(size, *picture.shape[1:])


@lru_cache(1024)
def _weights(size: int, wanted: int) -> tuple[csr_array, int]:
    """Weights ``(wanted, size)`` of a triangle around each wanted pixel, as whole numbers of
    ``2 ** -bits``, and ``bits``."""
    scale = size / wanted
    reach = max(scale, 1.0)
    centres = scale * (np.arange(wanted) + 0.5)
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    end = np.minimum((centres + reach + 0.5).astype(np.int64), size)
    pixels = first[:, None] + np.arange(2 * ceil(reach) + 1)
    triangle = 1 - np.abs(pixels - centres[:, None] + 0.5) / reach
    values = np.where(pixels < end[:, None], np.maximum(triangle, 0), 0)
    values /= values.sum(axis=1, keepdims=True)
    bits = _bits(float(values.max()))
    whole = (values * (1 << bits) + 0.5).astype(np.int32)
    rows, taps = whole.nonzero()
    shape = wanted, size
    return csr_array((whole[rows, taps], (rows, pixels[rows, taps])), shape=shape), bits


def _bits(largest: float) -> int:
    """The most bits with which the largest weight stays below the limit."""
    bits = 0
    while bits < _MOST_BITS and int(0.5 + largest * (1 << bits + 1)) < _WEIGHT_LIMIT:
        bits += 1
    return bits
