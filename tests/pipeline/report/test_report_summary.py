"""The summary of a run: people, visits, stays and cameras."""

from dataclasses import replace
from pathlib import Path

import msgspec
import polars as pl
import pytest

from builders import camera, make_run
from pipeline.report import summary as of_report
from pipeline.report.people import PersonSummary, Visit
from pipeline.report.summary import summarise
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 10.0, 50.0, 90.0)


def seen(camera_id: str, frames: range, track_id: int) -> list[tuple]:  # type: ignore[type-arg]
    return [(camera_id, frame, track_id, BOX) for frame in frames]


def test_a_person_in_two_cameras(tmp_path: Path) -> None:
    rows = seen("a", range(3), 1) + seen("b", range(5, 9), 7) + seen("b", range(5, 7), 8)
    run = make_run(tmp_path / "run", rows, {("a", 1): 4, ("b", 7): 4, ("b", 8): 2})
    summary = summarise(RunDirectory(run))
    second, fourth = summary.people
    assert (second.global_id, second.observations) == (2, 2)
    assert (fourth.global_id, fourth.observations) == (4, 7)
    assert [visit.camera_id for visit in fourth.visits] == ["a", "b"]
    assert [visit.stays for visit in fourth.visits] == [[(0.0, 0.2)], [(0.5, 0.8)]]
    assert (fourth.start, fourth.end) == (0.0, 0.8)
    assert fourth.confidence == pytest.approx(0.9)


def test_a_stay_ends_when_the_person_is_away_for_more_than_a_second(tmp_path: Path) -> None:
    rows = seen("a", range(0, 1), 1) + seen("a", range(10, 11), 1) + seen("a", range(21, 23), 2)
    run = make_run(tmp_path / "run", rows, {("a", 1): 1, ("a", 2): 1})
    (person,) = summarise(RunDirectory(run)).people
    assert person.visits[0].stays == [(0.0, 1.0), (2.1, 2.2)]


def test_a_slow_camera_has_longer_gaps(tmp_path: Path) -> None:
    rows = seen("a", range(0, 31, 15), 1)
    run = make_run(tmp_path / "run", rows, {("a", 1): 1}, cameras=[camera("a", fps=2.0)])
    (person,) = summarise(RunDirectory(run)).people
    assert person.visits[0].stays == [(0.0, 3.0)]


def test_a_camera_counts_its_busiest_moment(tmp_path: Path) -> None:
    rows = seen("a", range(10), 1) + seen("a", range(4, 6), 2) + seen("a", range(5, 6), 3)
    run = make_run(tmp_path / "run", rows, {("a", 1): 1, ("a", 2): 2})
    (count,) = summarise(RunDirectory(run)).cameras
    assert (count.people, count.observations) == (2, 13)
    assert count.busiest == (3, 0.5)


def test_observations_without_identity_are_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", seen("a", range(3), 1), {})
    summary = summarise(RunDirectory(run))
    assert (summary.people, summary.unidentified, summary.observations) == ([], 3, 3)


def test_the_best_pictures_come_first_and_are_limited(tmp_path: Path) -> None:
    rows = [row for track in range(6) for row in seen("a", range(track, track + 1), track)]
    thumbnails = {("a", track): f"thumbnails/{track}.jpg" for track in range(6)}
    ids = {("a", track): 1 for track in range(6)}
    run = make_run(tmp_path / "run", rows, ids, thumbnails=thumbnails)
    part = run / "tracklets" / "part-00000.parquet"
    table = pl.read_parquet(part)
    table.with_columns(quality=(pl.col("track_id") / 10).cast(pl.Float32)).write_parquet(part)
    summary = summarise(RunDirectory(run))
    (visit,) = summary.people[0].visits
    assert visit.kept == 6
    assert visit.pictures == [f"thumbnails/{track}.jpg" for track in (5, 4, 3, 2)]
    assert summary.has_pictures


def test_a_run_that_was_killed_before_its_cameras_were_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", seen("a", range(3), 1), {("a", 1): 1})
    (run / "cameras.json").unlink()
    summary = summarise(RunDirectory(run))
    assert [(count.camera_id, count.camera) for count in summary.cameras] == [("a", None)]
    assert (summary.clock.start, summary.clock.end) == (0.0, 0.2)


def person_with(*visits: tuple[str, list[tuple[float, float]]]) -> PersonSummary:
    seen = [Visit(name, 1, stays, [], 0) for name, stays in visits]
    return PersonSummary(1, 0.9, 0.9, False, seen)


def test_from_where_to_where_a_person_went() -> None:
    walk = person_with(("a", [(0.0, 9.0), (40.0, 50.0)]), ("b", [(8.0, 20.0)]))
    assert walk.route == [["a"], ["b"], ["a"]]
    assert walk.seconds == 30.0
    together = person_with(("a", [(0.0, 9.0)]), ("b", [(1.0, 9.5)]), ("c", [(20.0, 21.0)]))
    assert together.route == [["a", "b"], ["c"]]
    assert together.seconds == 10.5
    returns = person_with(("a", [(0.0, 1.0), (5.0, 6.0)]))
    assert returns.route == [["a"]]


def test_who_is_seen_briefly_or_unsure() -> None:
    brief, long = person_with(("a", [(0.0, 0.9)])), person_with(("a", [(0.0, 1.0)]))
    assert (brief.is_brief, long.is_brief) == (True, False)
    assert not replace(brief, confirmed=True).is_brief
    assert replace(long, confidence=0.49).is_brief
    assert not replace(long, confidence=0.5).is_brief


def test_an_empty_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], {}, cameras=[])
    summary = summarise(RunDirectory(run))
    assert (summary.people, summary.cameras, summary.observations) == ([], [], 0)
    assert not summary.has_pictures


def test_the_run_spans_its_cameras_not_only_its_people(tmp_path: Path) -> None:
    late = msgspec.structs.replace(camera("b"), start=3.0, end=9.0)
    unused = msgspec.structs.replace(camera("c", frames=0), start=-50.0)
    run = make_run(
        tmp_path / "run", seen("a", range(3), 1), {}, cameras=[camera("a"), late, unused]
    )
    clock = summarise(RunDirectory(run)).clock
    assert (clock.start, clock.end) == (0.0, 9.0)


def _three_people(folder: Path) -> RunDirectory:
    """1 is seen last, then 3 in two cameras, then 2."""
    rows = seen("a", range(3), 2) + seen("a", range(2, 7), 3) + seen("b", range(3, 6), 3)
    rows += seen("a", range(6, 9), 1)
    ids = {("a", 1): 1, ("a", 2): 2, ("a", 3): 3, ("b", 3): 3}
    return RunDirectory(make_run(folder, rows, ids))


@pytest.mark.parametrize(
    ("most", "shown"), [(1, [1]), (2, [1]), (3, [1, 3]), (4, [1, 2, 3]), (1500, [1, 2, 3])]
)
def test_the_page_shows_so_many_visits_of_the_people_seen_last(
    most: int, shown: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_report, "_VISITS_PER_PAGE", most)
    summary = summarise(_three_people(tmp_path / "run"))
    assert [person.global_id for person in summary.people] == shown
    assert (summary.people_count, summary.observations) == (3, 14)


def test_somebody_in_more_cameras_than_a_page_can_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_report, "_VISITS_PER_PAGE", 1)
    rows = seen("a", range(3), 1) + seen("b", range(5, 9), 7)
    run = RunDirectory(make_run(tmp_path / "run", rows, {("a", 1): 4, ("b", 7): 4}))
    (person,) = summarise(run).people
    assert [visit.camera_id for visit in person.visits] == ["a", "b"]


def test_absences_are_joined_until_a_page_can_show_the_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Absences of 2, 4 and 3 seconds.
    frames = [0, 20, 60, 90]
    rows = [row for frame in frames for row in seen("a", range(frame, frame + 1), 1)]
    run = RunDirectory(make_run(tmp_path / "run", rows, {("a", 1): 4}))

    def stays() -> tuple[list[tuple[float, float]], float]:
        summary = summarise(run)
        return summary.people[0].visits[0].stays, summary.shortest_gap

    assert stays() == ([(0, 0), (2, 2), (6, 6), (9, 9)], 0.0)
    monkeypatch.setattr(of_report, "_STAYS_PER_PAGE", 3)
    assert stays() == ([(0, 2), (6, 6), (9, 9)], 2.0)
    monkeypatch.setattr(of_report, "_STAYS_PER_PAGE", 2)
    assert stays() == ([(0, 9)], 4.0)
    monkeypatch.setattr(of_report, "_STAYS_PER_PAGE", 0)
    assert stays() == ([(0, 9)], 4.0)
