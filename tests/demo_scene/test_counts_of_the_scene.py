"""What is counted in the demo's scene, against a count of its script by hand."""

from collections import Counter

import msgspec
import polars as pl
import pytest

from builders import Observation, camera, make_run
from demo_scene.cutting import FPS
from demo_scene.scene import CAMERAS, SIZE, WALKS, WalkPast, end_of, place_of
from pipeline.analytics.statistics import Statistics, statistics_of
from pipeline.config.load import check_config
from pipeline.run_directory.reader import RunDirectory

# The 20th second of the scene is the first of an hour.
FIRST_FRAME = 36_000 - 200
PLACES = {
    "zones": {
        "bench": {"camera": "yard", "points": [(320, 400), (640, 400), (640, 540), (320, 540)]}
    },
    # A line down the picture has the right half of the picture on its left.
    "lines": {
        name: {
            "camera": name,
            "points": [(480, 0), (480, 540)],
            "to_left": "right",
            "to_right": "left",
        }
        for name in CAMERAS
    },
}


def boxes(walk: WalkPast, track: int) -> list[Observation]:
    """The boxes of a walker, as far as they are in the picture."""
    found: list[Observation] = []
    for frame in range(int(60 * FPS)):
        if not walk.start <= frame / FPS <= end_of(walk, CAMERAS[walk.camera]):
            continue
        head, feet, height = place_of(walk, CAMERAS[walk.camera], frame / FPS)
        left, right = max(head - 0.2 * height, 0.0), min(head + 0.2 * height, float(SIZE[0]))
        if left < right:
            box = (left, feet - height, right, feet)
            found.append((walk.camera, FIRST_FRAME + frame, track, box))
    return found


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Statistics:
    """The statistics of the scene where every track is that of one walk."""
    rows = [row for track, walk in enumerate(WALKS) for row in boxes(walk, track)]
    ids = {(walk.camera, track): walk.person + 1 for track, walk in enumerate(WALKS)}
    known = [
        msgspec.structs.replace(camera(name), width=SIZE[0], height=SIZE[1]) for name in CAMERAS
    ]
    run = make_run(tmp_path_factory.mktemp("scene") / "run", rows, ids, cameras=known)
    return statistics_of(RunDirectory(run), check_config({"site": "demo", **PLACES}, "the test"))


def test_visits_of_each_camera_by_person(counted: Statistics) -> None:
    visits = counted.visits.filter(kind="camera")
    assert Counter(visits["place"]) == {"gate": 8, "path": 7, "yard": 7}
    # The third person comes back last: yard, path, gate, path, yard.
    assert Counter(visits["global_id"]) == {1: 4, 2: 4, 3: 5, 4: 3, 5: 3, 6: 3}


def test_different_people_by_camera_zone_hour_and_site(counted: Statistics) -> None:
    whole = counted.places().select("kind", "place", "people", "visits").rows()
    assert sorted(whole) == [
        ("camera", "gate", 6, 8),
        ("camera", "path", 6, 7),
        ("camera", "yard", 6, 7),
        ("site", "demo", 6, 6),
        ("zone", "bench", 6, 7),
    ]
    by_hour = counted.people.filter(pl.col("hour").is_not_null()).sort("place", "hour")
    of_place = by_hour.group_by("place", maintain_order=True).agg("people").rows()
    # At second 20 one person is at the gate and one in the yard, whom both hours see.
    assert dict(of_place) == {
        "bench": [2, 5],
        "demo": [4, 6],
        "gate": [3, 6],
        "path": [3, 4],
        "yard": [2, 6],
    }


def test_crossings_by_direction(counted: Statistics) -> None:
    assert sorted(counted.lines.select("line", "direction", "times", "people").rows()) == [
        ("gate", "left", 4, 3),
        ("gate", "right", 4, 4),
        ("path", "left", 3, 3),
        ("path", "right", 4, 4),
        ("yard", "left", 4, 4),
        ("yard", "right", 3, 3),
    ]


def test_transitions_between_cameras(counted: Statistics) -> None:
    ways = counted.flow().filter(kind="camera").select("origin", "destination", "times", "people")
    assert sorted(ways.rows()) == [
        ("gate", "path", 4, 4),
        ("gate", "yard", 2, 2),
        ("path", "gate", 2, 2),
        ("path", "yard", 4, 4),
        ("yard", "gate", 2, 2),
        ("yard", "path", 2, 2),
    ]
    assert (counted.transitions["seconds"] > 0).all()


def test_seconds_in_a_zone_are_those_of_the_pace(counted: Statistics) -> None:
    # Three quarters of a height a second, past 320 pixels.
    heights = [232, 232 * 1.05, 232, 232 * 1.05, 232 * 0.95, 232 * 1.05, 232]
    seconds = counted.visits.filter(kind="zone").sort("start")["seconds"].to_list()
    assert seconds == [pytest.approx(320 / (0.75 * height), abs=2 / FPS) for height in heights]
