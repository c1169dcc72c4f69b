"""Counts of a simulated walk, of which it is known exactly who was in which view when."""

from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from pipeline.analytics.crossings import crossings_of, sides_of
from pipeline.analytics.places import CAMERA, ZONE, Places
from pipeline.analytics.stays import joined, on_site, people_by_hour, stays_in
from pipeline.analytics.transitions import transitions_of
from pipeline.config.schema import LineConfig, ZoneConfig
from walking.crops import Crops
from walking.scene import Scene, Visit, make_scene
from walking.stream import camera_name

PEOPLE, CAMERAS, EACH = 60, 4, 5
GAP_S, STEP_S = 2.0, 0.05
LEFT_HALF = [(0.0, 0.0), (960.0, 0.0), (960.0, 1080.0), (0.0, 1080.0)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    person = np.repeat(np.arange(PEOPLE), CAMERAS * EACH)
    camera = np.tile(np.repeat(np.arange(CAMERAS), EACH), PEOPLE)
    crops = Crops(person, camera, np.eye(PEOPLE, dtype=np.float32)[person])
    return make_scene(crops, PEOPLE, CAMERAS, 4)


@pytest.fixture(scope="module")
def stays(scene: Scene) -> pl.DataFrame:
    """The stays in all views and in the left half of the first."""
    half = Places({"left": ZoneConfig(camera="c0", points=LEFT_HALF)}, {})
    parts = []
    for visit in scene.visits:
        name = camera_name(visit.camera)
        parts.append(stays_in(rows_of(visit, name), name, half, GAP_S))
    return joined(parts, GAP_S)


def rows_of(visit: Visit, camera_id: str) -> pl.DataFrame:
    """A box of the right person every twentieth of a second, and in the last moment."""
    times = np.unique([*np.arange(visit.start, visit.end, STEP_S), visit.end])
    x, y, height = visit.at(times).T
    columns = {"x1": x - 20, "y1": y - height, "x2": x + 20, "y2": y}
    who = np.full(len(times), visit.person)
    return pl.DataFrame({"global_id": who, "timestamp": times, **columns})


def test_everybody_is_counted_once_on_the_site(scene: Scene, stays: pl.DataFrame) -> None:
    site = people_by_hour(on_site(stays, "site", 600.0)).filter(pl.col("hour").is_null())
    assert site["people"].to_list() == [len({visit.person for visit in scene.visits})]
    seen = Counter(camera for camera, _ in {(visit.camera, visit.person) for visit in scene.visits})
    cameras = people_by_hour(stays.filter(kind=CAMERA)).filter(pl.col("hour").is_null())
    counted = dict(cameras.select("place", "people").iter_rows())
    assert counted == {camera_name(camera): count for camera, count in seen.items()}


def test_every_visit_is_a_stay_of_its_length(scene: Scene, stays: pl.DataFrame) -> None:
    true = sorted((camera_name(v.camera), v.person, v.start, v.end) for v in scene.visits)
    # Nobody in this walk is back in a view within the gap.
    of_one = (pair for pair in pairwise(true) if pair[0][:2] == pair[1][:2])
    assert all(later[2] - earlier[3] > GAP_S for earlier, later in of_one)
    found = stays.filter(kind=CAMERA).select("place", "global_id", "start", "end").sort(pl.all())
    assert found.rows() == true


def test_dwell_in_a_zone_is_that_of_the_way_through_it(scene: Scene, stays: pl.DataFrame) -> None:
    true = []
    for visit in scene.visits:
        if visit.camera:
            continue
        # The share of a straight way that is left of the middle.
        a, b = visit.entry[0], visit.leave[0]
        share = float(np.clip((960.0 - min(a, b)) / max(abs(b - a), 1e-9), 0, 1))
        if min(a, b) <= 960:
            true.append((visit.person, share * (visit.end - visit.start)))
    zone = stays.filter(kind=ZONE).select("global_id", pl.col("end") - pl.col("start"))
    assert len(true) > 10
    assert zone.height == len(true)
    for found, expected in zip(sorted(zone.rows()), sorted(true), strict=True):
        assert found == pytest.approx(expected, abs=2 * STEP_S)


def test_crossings_are_those_of_the_ways_through_a_line(scene: Scene) -> None:
    line = LineConfig(camera="c0", points=[(700, 0), (700, 1080)], to_left="right", to_right="left")
    visits = [visit for visit in scene.visits if visit.camera == 0]
    # Every way leads from one side of the picture to the other.
    true = [(v.person, "right" if v.entry[0] < v.leave[0] else "left") for v in visits]
    rows = pl.concat([rows_of(visit, "c0") for visit in visits]).with_columns(
        camera_id=pl.lit("c0")
    )
    found = crossings_of("line", line, [sides_of(line, rows, GAP_S)], GAP_S)
    assert {way for _, way in true} == {"left", "right"}
    assert sorted(found.select("global_id", "direction").rows()) == sorted(true)


def test_transitions_are_those_of_the_walk(scene: Scene, stays: pl.DataFrame) -> None:
    true = []
    for person in {visit.person for visit in scene.visits}:
        own = sorted((v for v in scene.visits if v.person == person), key=lambda v: v.start)
        for place, visit in enumerate(own[1:], start=1):
            last = max(own[:place], key=lambda v: v.end)
            if last.camera != visit.camera:
                seconds = max(visit.start - last.end, 0.0)
                true.append((person, last.camera, visit.camera, pytest.approx(seconds)))
    found = transitions_of(stays).filter(kind=CAMERA)
    assert found.select(
        "global_id",
        pl.col("origin").str.slice(1).cast(pl.Int64),
        pl.col("destination").str.slice(1).cast(pl.Int64),
        "seconds",
    ).rows() == sorted(true, key=lambda row: row[0])
    assert found["seconds"].min() == 0.0
    assert found["overlap_s"].max() > 0.0  # type: ignore[operator]
