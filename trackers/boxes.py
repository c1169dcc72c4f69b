"""Geometry of boxes: ``(N, 4)`` arrays of x1, y1, x2, y2 in pixels."""

import numpy as np
from numpy.typing import NDArray


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The area of each box in square pixels: ``(N,)``."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def intersections(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """The area that boxes ``a`` ``(N, 4)`` share with boxes ``b`` ``(M, 4)``: ``(N, M)``."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union, 0..1, of ``a`` ``(N, 4)`` with ``b`` ``(M, 4)``: ``(N, M)``.

    Every box must have an area (``trackers.detections.valid_boxes``).
    """
    shared = intersections(a, b)
    return np.asarray(shared / (areas(a)[:, None] + areas(b)[None, :] - shared))


def footpoints(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where each person stands: the middle of the box's lower edge, ``(N, 2)`` x and y."""
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
