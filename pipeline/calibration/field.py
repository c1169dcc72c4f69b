"""What a calibrated camera sees of the ground, as a polygon, and the ground grid in its picture."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trackers.ground.view import FAR_BELOW

Matrix = NDArray[np.float64]
#: left, low, right, high: metres on the ground.
Bounds = tuple[float, float, float, float]


def field_of_view(homography: Matrix, size: tuple[int, int], bounds: Bounds) -> Matrix:
    """The ground that a camera sees within ``bounds``: the corners ``(N, 2)``, none for nothing.

    ``homography`` ``(3, 3)`` maps ground metres to pixels of a picture of ``size``, width and
    height. What is in it is on one side of each of five lines: the horizon and the four borders.
    """
    left, low, right, high = bounds
    corners = np.array([[left, low], [right, low], [right, high], [left, high]])
    across, down, depth = homography * np.sign(np.linalg.inv(homography)[2] @ FAR_BELOW)
    width, height = size
    sides = (depth, across, width * depth - across, down, height * depth - down)
    for side in sides:
        corners = _clipped(corners, side)
    return corners


def _clipped(corners: Matrix, side: Matrix) -> Matrix:
    """The part of a convex polygon ``(N, 2)`` with ``side @ (x, y, 1) >= 0`` (Sutherland and
    Hodgman, Reentrant Polygon Clipping, 1974).
    """
    value = corners @ side[:2] + side[2]
    return np.array(list(_kept(corners, value))).reshape(-1, 2)


def _kept(corners: Matrix, value: Matrix) -> Iterator[Matrix]:
    for number in range(len(corners)):
        start, end = corners[number - 1], corners[number]
        before, after = value[number - 1], value[number]
        if (before < 0) != (after < 0):
            yield start + (end - start) * before / (before - after)
        if after >= 0:
            yield end
