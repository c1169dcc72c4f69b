"""Ways on the ground are shown without the trembling of single positions."""

import pytest

from typescript import run_typescript


def test_ways_are_smooth_and_end_where_they_end() -> None:
    trembling = [[0.5 * n, 0.5 * n, (-1) ** n] for n in range(9)]
    (way,) = run_typescript("smoothing.ts", f"smoothWays({trembling})")
    assert way[0] == trembling[0]
    assert way[-1] == trembling[-1]
    assert [point[1] for point in way] == pytest.approx([0.5 * n for n in range(9)])
    assert [abs(point[2]) for point in way[2:-2]] == pytest.approx([0.2] * 5)


def test_a_gap_is_not_walked() -> None:
    points = [[0, 0, 0], [2, 1, 0], [4.5, 9, 9]]
    assert run_typescript("smoothing.ts", f"smoothWays({points})") == [points[:2], points[2:]]
    assert run_typescript("smoothing.ts", "smoothWays([])") == []
