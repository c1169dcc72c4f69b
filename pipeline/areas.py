"""Polygons and lines in a picture or on the ground; shapely is imported here only."""

from collections.abc import Sequence
from itertools import combinations
from math import isfinite

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.validation import explain_validity

Point = tuple[float, float]


def polygon_fault(points: Sequence[Point]) -> str | None:
    """What is wrong with the corners of a polygon; None when they can be used."""
    if not all(isfinite(value) for point in points for value in point):
        return "expected finite numbers"
    if len(set(points)) < 3:
        return f"expected at least three different corners, got {len(set(points))}"
    polygon = shapely.Polygon(points)
    if not polygon.is_valid:
        return f"expected a polygon that does not cross itself: {explain_validity(polygon)}"
    return None if polygon.area > 0 else "expected corners that are not on one line"


def line_fault(points: Sequence[Point]) -> str | None:
    """What is wrong with the ends of a line; None when they can be used."""
    if len(points) != 2:
        return f"expected the two ends of a line, got {len(points)} points"
    if not all(isfinite(value) for point in points for value in point):
        return "expected finite numbers"
    return None if points[0] != points[1] else "expected a line with a length: its ends are equal"


def is_on_a_line(points: Sequence[Point]) -> bool:
    """Whether three points are, nearly, on one line: the triangle is lower than a hundredth of its
    longest side.
    """
    triangle = shapely.Polygon(points)
    longest = max(np.hypot(ax - bx, ay - by) for (ax, ay), (bx, by) in combinations(points, 2))
    return bool(2 * triangle.area <= longest**2 / 100)


def inside(
    corners: Sequence[Point], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of the points ``(N,)`` are in a polygon or on its edge; NaN is in none."""
    polygon = shapely.Polygon(corners)
    shapely.prepare(polygon)
    return np.asarray(shapely.intersects_xy(polygon, x, y), np.bool_)


def is_outside(points: Sequence[Point], width: int, height: int) -> bool:
    """Whether no part of a polygon or line is in a picture of this size, pixels."""
    shape = shapely.LineString(points) if len(points) == 2 else shapely.Polygon(points)
    return not shape.intersects(shapely.box(0, 0, width, height))
