"""Polygons and lines: what can be used, and what is inside."""

import numpy as np
import pytest

from pipeline.areas import Point, inside, is_outside, line_fault, polygon_fault

SQUARE: list[Point] = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        ([], "three different corners, got 0"),
        (SQUARE[:2], "three different corners, got 2"),
        ([*SQUARE[:2], SQUARE[0]], "three different corners, got 2"),
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "cross itself: Self-intersection"),
        ([(0, 0), (5, 5), (10, 10)], "cross itself|one line"),
        ([(0, 0), (10, 0), (10, float("nan"))], "finite numbers"),
    ],
)
def test_polygons_that_cannot_be_used(points: list[Point], fault: str) -> None:
    found = polygon_fault(points)
    assert found is not None
    assert any(part in found for part in fault.split("|"))


def test_polygons_that_can_be_used() -> None:
    assert polygon_fault(SQUARE) is None
    assert polygon_fault([*SQUARE, SQUARE[0]]) is None


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        (SQUARE[:1], "two ends of a line, got 1"),
        (SQUARE[:3], "two ends of a line, got 3"),
        ([(1, 2), (1, 2)], "a length"),
        ([(1, 2), (1, float("inf"))], "finite numbers"),
    ],
)
def test_lines_that_cannot_be_used(points: list[Point], fault: str) -> None:
    assert fault in (line_fault(points) or "")
    assert line_fault(SQUARE[:2]) is None


def test_the_edge_is_inside_and_the_unknown_is_not() -> None:
    x, y = np.array([5, 10, 10.001, np.nan]), np.array([5.0, 10, 5, 5])
    assert inside(SQUARE, x, y).tolist() == [True, True, False, False]
    assert inside(SQUARE, x[:0], y[:0]).tolist() == []


def test_a_shape_that_touches_the_picture_is_not_outside() -> None:
    assert not is_outside(SQUARE, 640, 480)
    assert not is_outside([(640, 0), (700, 50)], 640, 480)
    assert is_outside([(641, 0), (700, 50)], 640, 480)
    assert is_outside([(x, y + 481) for x, y in SQUARE], 640, 480)
