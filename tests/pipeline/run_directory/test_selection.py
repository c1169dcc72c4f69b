"""A part of a run: a span of time and some cameras."""

import math
from pathlib import Path

import pytest

from builders import make_run
from pipeline.errors import UserError
from pipeline.exports import export_run
from pipeline.report.summary import summarise
from pipeline.run_directory.people_table import people
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.selection import Selection, moment, selection_of

BOX = (1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 0 to 29 of the gate, person 7 and from 2 s on 8; frames 0 to 9 of the yard."""
    rows = [("gate", frame, 1 + (frame >= 20), BOX) for frame in range(30)]
    rows += [("yard", frame, 1, BOX) for frame in range(10)]
    return make_run(tmp_path / "run", rows, {("gate", 1): 7, ("gate", 2): 8, ("yard", 1): 7})


def test_the_first_moment_is_in_and_the_last_is_not(folder: Path) -> None:
    part = RunDirectory(folder, Selection(0.5, 1.0))
    assert part.observations()["frame_index"].to_list() == [5, 6, 7, 8, 9] * 2
    assert part.observed_span() == (0.5, 1.0)
    assert RunDirectory(folder, Selection(2.9, 3.0)).trajectories()["frame_index"].to_list() == [29]
    assert RunDirectory(folder, Selection(2.95, 3.0)).trajectories().height == 0


def test_cameras_are_left_out_of_every_table(folder: Path) -> None:
    part = RunDirectory(folder, Selection(cameras=frozenset({"yard"})))
    tables = part.observations(), part.tracklets(), part.events(), part.trajectories()
    assert [set(table["camera_id"]) for table in tables] == [{"yard"}] * 4
    assert [camera.camera_id for camera in part.cameras()] == ["yard"]


def test_tracks_that_overlap_the_time_are_in(folder: Path) -> None:
    tracks = RunDirectory(folder, Selection(1.9, 2.0)).tracklets()
    assert tracks.select("camera_id", "track_id").rows() == [("gate", 1)]


def test_an_identity_decided_at_another_time_still_counts(folder: Path) -> None:
    """All events are at 1 s."""
    rows = RunDirectory(folder, Selection(2.0, 3.0)).trajectories()
    assert set(rows["global_id"]) == {8}


def test_summary_report_and_export_are_of_the_part(folder: Path, tmp_path: Path) -> None:
    part = RunDirectory(folder, Selection(2.0, 2.5, frozenset({"gate"})))
    assert people(part).select("global_id", "observations", "first", "last").rows() == [
        (8, 5, 2.0, 2.4)
    ]
    summary = summarise(part)
    assert (summary.observations, summary.clock.start, summary.clock.end) == (5, 2.0, 2.5)
    assert [person.global_id for person in summary.people] == [8]
    lines = export_run(part, "csv", tmp_path / "x.csv").read_text().splitlines()
    assert len(lines) == 6
    mot = export_run(part, "mot", tmp_path / "mot")
    assert [path.name for path in mot.iterdir()] == ["gate.txt"]


def test_an_unknown_camera_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"unknown camera 'gat'\. Did you mean 'gate'"):
        RunDirectory(folder, Selection(cameras=frozenset({"gat"})))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00:00Z", 3600.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "nan", "inf", "2026-13-01"])
def test_no_moment(text: str) -> None:
    with pytest.raises(UserError, match="is no time: expected a date"):
        moment(text)


def test_options() -> None:
    assert selection_of(None, None, None).is_everything
    assert selection_of("1", None, ["a"]) == Selection(1.0, math.inf, frozenset({"a"}))
    with pytest.raises(UserError, match="is not before"):
        selection_of("2", "2", None)
