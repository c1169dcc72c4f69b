"""Zones and lines of a running site, from rows that come before their identities."""

import polars as pl
import pytest

from builders_walkers import Point, walk
from pipeline.analytics.live_events import Event, LivePlaces
from pipeline.analytics.places import Places
from pipeline.config.schema import LineConfig, ZoneConfig
from trackers.tracklet import TrackletKey

SQUARE: list[Point] = [(100, 100), (200, 100), (200, 200), (100, 200)]
PLACES = Places(
    {"till": ZoneConfig(camera="a", points=SQUARE)},
    {"door": LineConfig(camera="a", points=[(150, 0), (150, 500)], to_right="in", to_left="out")},
)
GROUND = Places(
    {"floor": ZoneConfig(points=SQUARE)}, {"step": LineConfig(points=[(150, 0), (150, 500)])}
)
NOW = 100.0


class Site:
    """Feeds rows a second at a time, and takes the events."""

    def __init__(self, places: Places = PLACES, keep_s: float = 600.0) -> None:
        self.live = LivePlaces(places, keep_s)
        self.people: dict[TrackletKey, int] = {}

    def add(self, rows: pl.DataFrame, camera_id: str = "a") -> None:
        tracks = rows.rename({"global_id": "track_id"}).drop("camera_id")
        second = (pl.col("timestamp") + 1e-6).floor().cast(pl.Int64)
        for _, part in tracks.group_by(second.alias("second"), maintain_order=True):
            self.live.add(camera_id, part.drop("second", strict=False))

    def events(self, now: float = NOW) -> list[Event]:
        return self.live.take_events(lambda key, at: self.people.get(key), now)


def test_without_zones_and_lines_nothing_happens() -> None:
    site = Site(Places({}, {}))
    site.add(walk(7, [(0, 150), (400, 150)]))
    assert site.events() == []
    assert (site.live.people_in(), site.live.line_directions()) == ({}, [])


def test_a_person_enters_crosses_and_leaves_once_it_is_known_who_it_is() -> None:
    site = Site()
    site.add(walk(7, [(0, 150), (400, 150)], 10.0, 8.0))
    assert site.events(18.0) == []
    site.people["a", 7] = 3
    entered, crossed = site.events(18.0)
    assert entered == {
        "type": "enter",
        "zone": "till",
        "global_id": 3,
        "camera_id": "a",
        "at": 12.0,
    }
    assert crossed == {
        "type": "cross",
        "line": "door",
        "direction": "out",
        "global_id": 3,
        "camera_id": "a",
        "at": pytest.approx(13.1),
    }
    assert site.live.people_in() == {"till": [3]}
    assert site.events(19.0) == []
    assert site.events(19.1) == [
        {"type": "leave", "zone": "till", "global_id": 3, "at": 14.0, "seconds": 2.0}
    ]
    assert site.live.people_in() == {"till": []}
    assert site.live.crossings == {("door", "out"): 1}


def test_who_is_never_known_is_dropped() -> None:
    site = Site(keep_s=50.0)
    site.add(walk(7, [(0, 150), (400, 150)]))
    assert site.events(60.0) == []
    site.people["a", 7] = 3
    assert site.events(60.0) == []


def test_two_tracks_of_a_person_are_one_stay_and_a_return_is_another() -> None:
    site = Site()
    site.people |= {("a", 1): 3, ("a", 2): 3}
    site.add(walk(1, [(150, 150), (160, 150)], 0.0, 3.0))
    site.add(walk(2, [(150, 150), (160, 150)], 4.5, 3.0))
    assert [(e["type"], e["at"]) for e in site.events(8.0)] == [("enter", 0.0)]
    site.add(walk(2, [(150, 150), (160, 150)], 10.0, 1.0))
    assert [(e["type"], e["at"]) for e in site.events(11.0)] == [("leave", 7.5), ("enter", 10.0)]


def test_two_cameras_see_one_stay_and_one_crossing_on_the_ground() -> None:
    site = Site(GROUND)
    site.people |= {("a", 1): 3, ("b", 5): 3}
    site.add(walk(1, [(0, 150), (199, 150)]), "a")
    site.add(walk(5, [(0, 150), (199, 150)], 0.5), "b")
    assert [event["type"] for event in site.events(5.0)] == ["enter", "cross"]
    assert site.live.people_in() == {"floor": [3]}


def test_rows_that_come_again_repeat_no_event() -> None:
    site = Site()
    rows = walk(7, [(0, 150), (400, 150), (0, 150)], 0.0, 10.0)
    site.people["a", 7] = 3
    site.add(rows)
    first = site.events()
    assert [event["type"] for event in first] == [
        "enter",
        "cross",
        "leave",
        "enter",
        "cross",
        "leave",
    ]
    site.live.reset_tracks()
    site.add(rows)
    assert site.events() == []
    assert site.live.crossings == {("door", "out"): 1, ("door", "in"): 1}


def test_a_forgotten_person_is_in_no_zone() -> None:
    site = Site()
    site.people["a", 7] = 3
    site.add(walk(7, [(0, 150), (150, 150)]))
    site.events(4.0)
    site.live.forget(3)
    assert site.live.people_in() == {"till": []}
    assert site.events() == []


def test_a_slow_way_over_the_line_is_found_over_many_messages() -> None:
    site = Site()
    site.people["a", 7] = 3
    site.add(walk(7, [(140, 300), (149, 300), (151, 300), (160, 300)], 0.0, 60.0))
    assert [(e["type"], e.get("direction")) for e in site.events()] == [("cross", "out")]


@pytest.mark.parametrize(("dwell_s", "kinds"), [(3.0, ["enter", "dwell"]), (5.01, ["enter"])])
def test_who_stays_long_enough_dwells_once(dwell_s: float, kinds: list[str]) -> None:
    zone = ZoneConfig(camera="a", points=SQUARE, dwell_s=dwell_s)
    site = Site(Places({"till": zone}, {}))
    site.people["a", 7] = 3
    found: list[Event] = []
    rows = walk(7, [(150, 150), (160, 150)], 10.0, 5.0)
    for _ in range(2):
        for second in range(10, 16):
            site.add(rows.filter((pl.col("timestamp") // 1).cast(pl.Int64) == second))
            found += site.events(second + 1.0)
        site.live.reset_tracks()
    assert [event["type"] for event in found] == kinds
    if len(found) > 1:
        assert (found[1]["at"], found[1]["seconds"]) == (13.0, 3.0)
