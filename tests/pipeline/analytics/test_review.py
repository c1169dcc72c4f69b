"""What happened in a run, from rows, identities and the log of the cameras."""

from pathlib import Path

import pytest

from builders import camera, make_run
from pipeline.analytics.review import ReviewEvent, of_people_and_cameras, of_places
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.run_directory.camera_log import CameraChange, append_change
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.selection import Selection

# The foot goes from 20 to the right by a pixel a frame, at 90 from the top.
ZONES = {"till": {"camera": "gate", "points": [[30, 80], [60, 80], [60, 99], [30, 99]]}}
LINES = {"door": {"camera": "gate", "points": [[50, 0], [50, 200]], "to_left": "in"}}


def site(dwell_s: float | None = None) -> SiteConfig:
    zones = {"till": {**ZONES["till"], "dwell_s": dwell_s}}
    return check_config({"zones": zones, "lines": LINES}, "the test")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Person 7 walks through the till from 1 to 4 s, and then stands beside it until 9 s."""
    boxes = [("gate", n, 1, (float(n), 20.0, n + 40.0, 90.0)) for n in range(60)]
    boxes += [("gate", n, 1, (60.0, 20.0, 100.0, 90.0)) for n in range(60, 90)]
    make_run(tmp_path, boxes, {("gate", 1): 7}, cameras=[camera("gate", 90)])
    return RunDirectory(tmp_path)


def told(events: list[ReviewEvent]) -> list[tuple[str, float, str]]:
    return [(event.kind, event.at, event.text) for event in sorted(events, key=lambda e: e.at)]


def test_zones_and_lines_are_events(run: RunDirectory) -> None:
    assert told(of_places(run, site(), 0.0, 100.0)) == [
        ("enter", 1.0, "person 7 enters till"),
        ("line", 3.4, "person 7 crosses door: in"),
        ("leave", 4.0, "person 7 leaves till after 3 s"),
    ]


def test_the_span_includes_its_start_and_not_its_end(run: RunDirectory) -> None:
    assert [e.kind for e in of_places(run, site(), 1.0, 4.0)] == ["enter", "line"]
    assert [e.kind for e in of_places(run, site(), 1.001, 4.001)] == ["leave", "line"]


@pytest.mark.parametrize(("dwell_s", "kinds"), [(3.0, ["dwell"]), (3.01, []), (None, [])])
def test_who_stays_long_enough_dwells(
    run: RunDirectory, dwell_s: float | None, kinds: list[str]
) -> None:
    found = [e for e in of_places(run, site(dwell_s), 0.0, 100.0) if e.kind == "dwell"]
    assert [event.kind for event in found] == kinds
    assert all(event.at == 4.0 for event in found)


def test_who_is_there_at_the_end_has_not_left(run: RunDirectory) -> None:
    shown = RunDirectory(run.path, Selection(until=3.0))
    assert [event.kind for event in of_places(shown, site(), 0.0, 100.0)] == ["enter"]


def test_an_event_keeps_its_id_whatever_is_read(run: RunDirectory) -> None:
    whole = {event.id for event in of_places(run, site(), 0.0, 100.0)}
    parts = [of_places(run, site(), t, t + 1.0) for t in range(10)]
    assert {event.id for part in parts for event in part} == whole
    assert sum(map(len, parts)) == len(whole) == 3


def test_a_person_is_new_once(tmp_path: Path) -> None:
    boxes = [("gate", n, 1, (0.0, 0.0, 9.0, 9.0)) for n in range(5)]
    boxes += [("hall", n, 2, (0.0, 0.0, 9.0, 9.0)) for n in range(3, 9)]
    boxes += [("hall", n, 4, (0.0, 0.0, 9.0, 9.0)) for n in range(20, 22)]
    ids = {("gate", 1): 7, ("hall", 2): 7, ("hall", 4): 5}
    found = of_people_and_cameras(RunDirectory(make_run(tmp_path, boxes, ids)))
    assert told(found) == [
        ("new person", 0.0, "person 7 is seen for the first time, by gate"),
        ("new person", 2.0, "person 5 is seen for the first time, by hall"),
    ]


def test_cameras_are_lost_and_come_back(tmp_path: Path) -> None:
    run = make_run(tmp_path, [], {})
    for at, state in enumerate(("connecting", "running", "lost", "connecting", "running")):
        reason = "no route" if state == "lost" else ""
        append_change(run, CameraChange("gate", state, reason, float(at)))
    append_change(run, CameraChange("hall", "running", "", 9.0))
    assert told(of_people_and_cameras(RunDirectory(run))) == [
        ("camera lost", 2.0, "camera gate is lost: no route"),
        ("camera back", 4.0, "camera gate is back"),
    ]


def test_nothing_happens_in_an_empty_run(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path, [], {}))
    assert of_people_and_cameras(run) == []
    assert of_places(run, site(), 0.0, 100.0) == []
