"""Who crosses a line, in which direction and how often."""

import polars as pl
import pytest

from builders_walkers import Point, together, walk
from pipeline.analytics.crossings import CROSSING, crossings_of, line_counts, sides_of
from pipeline.config.schema import LineConfig

GAP_S = 2.0
# Down the middle of the picture: right of it, as seen from its first end, is the left half.
DOOR = LineConfig(camera="a", points=[(100, 0), (100, 200)], to_right="in", to_left="out")
ON_GROUND = LineConfig(points=[(100, 0), (100, 200)], to_right="in", to_left="out")


def crossed(line: LineConfig, *parts: pl.DataFrame) -> list[tuple[str, int]]:
    sides = [sides_of(line, part, GAP_S) for part in parts]
    found = crossings_of("door", line, sides, GAP_S)
    assert found.schema == CROSSING
    return found.select("direction", "global_id").rows()


def test_nobody_crosses() -> None:
    assert crossed(DOOR) == crossed(DOOR, together()) == []
    assert line_counts(crossings_of("door", DOOR, [], GAP_S), [("door", DOOR)]).rows() == [
        ("door", "in", 0, 0),
        ("door", "out", 0, 0),
    ]


@pytest.mark.parametrize(
    ("way", "directions"),
    [
        ([(200, 100), (0, 100)], ["in"]),
        ([(0, 100), (200, 100)], ["out"]),
        ([(0, 100), (200, 100), (0, 120)], ["out", "in"]),
        # Up to the line and back, beside it, and along it.
        ([(0, 100), (99, 100), (0, 100)], []),
        ([(0, 210), (200, 210)], []),
        ([(98, 0), (98, 190)], []),
    ],
)
def test_a_way_through_the_line_crosses_it(way: list[Point], directions: list[str]) -> None:
    assert crossed(DOOR, walk(7, way)) == [(direction, 7) for direction in directions]


def test_on_the_ground_y_grows_to_the_left_of_x() -> None:
    assert crossed(ON_GROUND, walk(7, [(0, 100), (200, 100)])) == [("in", 7)]


def test_a_trembling_box_does_not_cross_and_one_beyond_the_margin_does() -> None:
    # The margin is 3 pixels, a twentieth of the height of the box.
    for reach, expected in ((2.9, 0), (3.0, 19)):
        trembling = [(100 + reach * (-1) ** n, 100.0) for n in range(20)]
        rows = pl.concat([walk(7, [p, p], n / 10, 0) for n, p in enumerate(trembling)])
        assert len(crossed(DOOR, rows)) == expected


def test_who_stands_on_the_line_for_long_crosses_when_leaving_it() -> None:
    rows = together(
        walk(7, [(0, 100), (100, 100)], 0.0, 2.0),
        walk(7, [(100, 100), (100, 101)], 2.1, 30.0),
        walk(7, [(100, 100), (200, 100)], 32.2, 2.0),
    )
    half = pl.col("timestamp") < 20.0
    assert crossed(DOOR, rows) == [("out", 7)]
    assert crossed(DOOR, rows.filter(half), rows.filter(~half)) == [("out", 7)]


@pytest.mark.parametrize(("away_s", "times"), [(2.0, 1), (2.1, 0)])
def test_who_was_out_of_sight_did_not_cross(away_s: float, times: int) -> None:
    before = walk(7, [(0, 100), (50, 100)], 0.0, 1.0)
    after = walk(7, [(150, 100), (200, 100)], 1.0 + away_s, 1.0)
    assert len(crossed(DOOR, together(before, after))) == times
    assert len(crossed(DOOR, before, after)) == times


def test_parts_count_as_if_read_at_once() -> None:
    people = [
        walk(n, [(0, 20 * n), (200, 100), (0, 200 - 20 * n)], n / 3, 3 + n) for n in range(1, 9)
    ]
    rows = together(*people)
    whole = crossed(DOOR, rows)
    assert len(whole) > 8
    for cut in (0.75, 2.05, 3.3, 5.55):
        earlier = pl.col("timestamp") < cut
        assert crossed(DOOR, rows.filter(earlier), rows.filter(~earlier)) == whole


def test_two_cameras_see_one_crossing_of_a_line_on_the_ground() -> None:
    way = [(0, 100), (200, 100)]
    both = [walk(7, way, 0.0), walk(7, way, 1.9, camera_id="b")]
    assert crossed(ON_GROUND, *both) == [("in", 7)]
    later = [walk(7, way, 0.0), walk(7, way, 2.1, camera_id="b")]
    assert crossed(ON_GROUND, *later) == [("in", 7), ("in", 7)]


def test_crossings_and_people_are_counted_by_direction() -> None:
    way = [(0, 100), (200, 100), (0, 100)]
    rows = together(walk(1, [*way, *way[1:]], seconds=20), walk(2, way[:2]))
    found = crossings_of("door", DOOR, [sides_of(DOOR, rows, GAP_S)], GAP_S)
    assert line_counts(found, [("door", DOOR)]).rows() == [
        ("door", "in", 2, 1),
        ("door", "out", 3, 2),
    ]
