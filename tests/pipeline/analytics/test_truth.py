"""Counts of people who walk at random, against what their ways say exactly."""

import numpy as np
import polars as pl
import pytest
import shapely

from builders_walkers import Point, together, walk
from pipeline.analytics.crossings import crossings_of, sides_of
from pipeline.analytics.places import ZONE, Places
from pipeline.analytics.speed import positions_in, speeds_of
from pipeline.analytics.stays import stays_in
from pipeline.config.schema import LineConfig, ZoneConfig

LINE = LineConfig(camera="a", points=[(120, 60), (300, 400)], to_right="in", to_left="out")
ZONE_POINTS: list[Point] = [(100, 100), (420, 130), (300, 250), (380, 400), (90, 320)]
PEOPLE = 150


def ways() -> list[tuple[list[Point], float]]:
    """Straight ways through a picture of 500 x 500, and how many seconds they take."""
    chance = np.random.default_rng(20)
    ends = chance.uniform(0, 500, (PEOPLE, 2, 2))
    line = shapely.LineString(LINE.points)
    found = []
    for (a, b), seconds in zip(ends, chance.uniform(3, 12, PEOPLE), strict=True):
        # Where a way ends closer to the line than the margin, it is no question of counting.
        if min(line.distance(shapely.Point(p)) for p in (a, b)) > 4:
            found.append(([tuple(map(float, a)), tuple(map(float, b))], round(float(seconds), 1)))
    assert len(found) > PEOPLE / 2
    return found


def test_crossings_are_exact() -> None:
    expected = []
    a, b = (np.array(p) for p in LINE.points)
    for number, (way, _) in enumerate(ways()):
        if shapely.LineString(way).intersects(shapely.LineString(LINE.points)):
            # To the right of the line as seen in the picture, where y grows downwards.
            end = np.array(way[1])
            to_right = (b - a)[0] * (end - a)[1] - (b - a)[1] * (end - a)[0] > 0
            expected.append((number, "in" if to_right else "out"))
    rows = together(*(walk(n, way, 0.1 * n, s) for n, (way, s) in enumerate(ways())))
    found = crossings_of("door", LINE, [sides_of(LINE, rows, 2.0)], 2.0)
    assert 30 < len(expected) < PEOPLE
    assert sorted(found.select("global_id", "direction").rows()) == sorted(expected)


def test_visits_and_dwell_are_exact_to_the_frame() -> None:
    zone = shapely.Polygon(ZONE_POINTS)
    places = Places({"hall": ZoneConfig(camera="a", points=ZONE_POINTS)}, {})
    count = 0
    for number, (way, seconds) in enumerate(ways()):
        found = stays_in(walk(number, way, 0.0, seconds), "a", places, 0.15).filter(kind=ZONE)
        shared = shapely.LineString(way).intersection(zone)
        pieces = [p for p in getattr(shared, "geoms", [shared]) if p.length > 0]
        share = seconds / shapely.LineString(way).length
        # Pieces shorter than a frame may lie between two.
        long = [p.length * share for p in pieces if p.length * share > 0.2]
        if len(long) < len(pieces):
            continue
        count += bool(pieces)
        dwell = (found["end"] - found["start"]).to_list()
        assert dwell == [pytest.approx(s, abs=0.2001) for s in _in_order(way, pieces, share)]
    assert count > 40


def _in_order(way: list[Point], pieces: list[shapely.LineString], share: float) -> list[float]:
    start = shapely.Point(way[0])
    return [p.length * share for p in sorted(pieces, key=start.distance)]


def test_speed_is_that_of_the_way() -> None:
    rows = [walk(n, way, 0.0, s) for n, (way, s) in enumerate(ways()) if s > 4]
    metres = pl.concat(rows).with_columns(pl.col("ground_x", "ground_y") / 50)
    found = speeds_of(positions_in(metres))
    expected = {
        n: shapely.LineString(way).length / 50 / s for n, (way, s) in enumerate(ways()) if s > 4
    }
    for who, mean in found.select("global_id", "mean").rows():
        assert mean == pytest.approx(expected[who], rel=0.05)
    assert found.height == len(expected)
