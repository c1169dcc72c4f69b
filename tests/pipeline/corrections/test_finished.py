"""Corrections of a run that has ended: in its tables, exports, report, evaluation, statistics."""

import shutil
from pathlib import Path

import pytest

from builders import camera, make_run
from pipeline.corrections.check import CorrectionError
from pipeline.corrections.finished import correct_finished
from pipeline.corrections.known import KnownPeople
from pipeline.errors import UserError
from pipeline.evaluation import evaluate_run
from pipeline.exports import export_run
from pipeline.recorder.forget import find_person, remove_person
from pipeline.run_directory.compaction import compact_all
from pipeline.run_directory.corrections import read_corrections, write_corrections
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.people_table import people
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES
from pipeline.run_directory.segments import read_segments
from trackers.association.corrections import Correction

BOX = (10.0, 20.0, 40.0, 90.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Person 1 at the gate, 2 in the hall and 3 at the gate again, 4 beside 1."""
    boxes = [("gate", i, 1, BOX) for i in range(10)] + [("hall", i, 2, BOX) for i in range(20, 40)]
    boxes += [("gate", i, 3, BOX) for i in range(50, 60)]
    boxes += [("gate", i, 4, (100.0, 20.0, 130.0, 90.0)) for i in range(5, 15)]
    ids = {("gate", 1): 1, ("hall", 2): 2, ("gate", 3): 3, ("gate", 4): 4}
    cameras = [camera("gate", 60), camera("hall", 40)]
    return make_run(tmp_path / "run", boxes, ids, cameras=cameras)


def correct(run: Path, kind: str, seen: int | None = None, **values: object) -> Correction:
    """Make a correction at 99 s."""
    wanted = Correction(kind, by="anna", **values)  # type: ignore[arg-type]
    return correct_finished(run, wanted, lambda: 99.0, seen=seen)


def owners(run: Path) -> dict[tuple[str, int], list[int]]:
    """The people that each track shows in turn."""
    rows = RunDirectory(run).trajectories()
    found = rows.group_by("camera_id", "track_id", maintain_order=True).agg("global_id")
    return {(c, t): list(dict.fromkeys(ids)) for c, t, ids in found.iter_rows()}


def test_a_merge_is_an_identity_event_and_reaches_every_reader(run: Path) -> None:
    made = correct(run, "merge", global_id=2, into=1)
    assert (made.number, made.by, made.at) == (1, "anna", 99.0)
    last = RunDirectory(run).identities().filter(track_id=2).row(0, named=True)
    assert (last["global_id"], last["kind"], last["state"]) == (1, "corrected", "confirmed")
    assert last["confidence"] == 1.0
    assert last["reason"] == "correction 1: 2 is the same person as 1"
    assert people(RunDirectory(run))["global_id"].to_list() == [1, 3, 4]
    lines = (export_run(RunDirectory(run), "mot") / "hall.txt").read_text().splitlines()
    assert {line.split(",")[1] for line in lines} == {"1"}
    cvat = (export_run(RunDirectory(run), "cvat") / "hall.xml").read_text()
    assert '<attribute name="global_id">1<' in cvat
    assert '<attribute name="global_id">2<' not in cvat


def test_a_corrected_run_is_ground_truth_for_what_was_decided(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "before")
    correct(run, "merge", global_id=2, into=1)
    truth = export_run(RunDirectory(run), "mot")
    after = evaluate_run(RunDirectory(run), truth)
    before = evaluate_run(RunDirectory(tmp_path / "before"), truth)
    assert after.all_cameras.idf1 == 1
    assert before.all_cameras.idf1 < 1


def test_a_split_falls_between_two_frames(run: Path) -> None:
    made = correct(run, "split", global_id=2, moment=3.0)
    assert made.new_id == 5
    assert owners(run)["hall", 2] == [2, 5]
    rows = RunDirectory(run).trajectories().filter(track_id=2, global_id=5)
    assert rows["frame_index"].min() == 30


def test_corrections_survive_compaction_and_can_be_undone_after_it(run: Path) -> None:
    correct(run, "merge", global_id=2, into=1)
    correct(run, "split", global_id=1, moment=3.0)
    compact_all(run)
    correct(run, "undo", undoes=1)
    assert owners(run)["hall", 2] == [2, 5]
    correct(run, "undo", undoes=2)
    assert owners(run)["hall", 2] == [2]
    assert people(RunDirectory(run))["global_id"].to_list() == [1, 2, 3, 4]


def refused(run: Path, kind: str, **values: object) -> CorrectionError:
    before = read_segments(run / "identities", IDENTITIES), read_corrections(run)
    with pytest.raises(CorrectionError) as error:
        correct(run, kind, **values)
    assert (read_segments(run / "identities", IDENTITIES), read_corrections(run)) == before
    return error.value


def test_what_cannot_be_is_refused(run: Path) -> None:
    assert "with itself" in str(refused(run, "merge", global_id=1, into=1))
    unknown = refused(run, "merge", global_id=9, into=1)
    assert (unknown.status, str(unknown)) == (404, "unknown identity 9: no person had this id")
    assert refused(run, "merge", global_id=1, into=9).status == 404
    assert refused(run, "name", global_id=9, name="Anna").status == 404
    assert refused(run, "split", global_id=9, moment=1.0).status == 404
    assert refused(run, "move", camera_id="gate", track_id=9).status == 404
    assert refused(run, "move", camera_id="none", track_id=1).status == 404
    assert refused(run, "move", camera_id="gate", track_id=1, since=0.5).status == 409
    already = refused(run, "move", camera_id="gate", track_id=1, to=1)
    assert (already.status, already.now) == (409, 1)
    assert refused(run, "undo", undoes=1).status == 404
    for name in ("x" * 101, " Anna", "An\nna"):
        assert refused(run, "name", global_id=1, name=name).status == 400
    for kind in ("merge", "split", "move", "name", "undo"):
        assert str(refused(run, kind)).startswith("expected ")


@pytest.mark.parametrize("moment", [1.9, 2.0, 4.0, float("nan"), 1e300])
def test_a_split_outside_the_time_of_a_person_is_refused(run: Path, moment: float) -> None:
    error = refused(run, "split", global_id=2, moment=moment)
    assert error.status == 400
    if moment < 10:
        assert "from 1970-01-01T00:00:02.000Z to 1970-01-01T00:00:03.900Z" in str(error)


def test_people_seen_at_one_time_are_merged_only_when_it_is_said(run: Path) -> None:
    error = refused(run, "merge", global_id=4, into=1)
    assert error.status == 409
    assert "in gate at one time, as one person cannot be (tracks 4 and 1, 0.4 s)" in str(error)
    correct(run, "merge", global_id=4, into=1, anyway=True)
    assert people(RunDirectory(run))["global_id"].to_list() == [1, 2, 3]


def test_who_was_merged_meanwhile_is_named(run: Path) -> None:
    correct(run, "merge", global_id=2, into=1)
    error = refused(run, "merge", global_id=2, into=3)
    assert (error.status, error.now) == (409, 1)
    assert str(error) == "there is no identity 2 any more: what was 2 is 1 now"


def test_two_editors_at_once(run: Path) -> None:
    correct(run, "name", global_id=1, name="Anna", seen=0)
    error = refused(run, "merge", global_id=1, into=2, seen=0)
    assert error.status == 409
    assert "anna has corrected the same people meanwhile (correction 1: 1 is called Anna)" in str(
        error
    )
    # Of other people it may be, and of the same once it is known.
    correct(run, "name", global_id=3, name="Ben", seen=0)
    correct(run, "merge", global_id=1, into=2, seen=1)
    assert refused(run, "undo", undoes=1, seen=2).status == 409
    assert refused(run, "move", camera_id="hall", track_id=2, seen=2).status == 409


def test_a_correction_is_undone_once(run: Path) -> None:
    correct(run, "merge", global_id=2, into=1)
    correct(run, "undo", undoes=1)
    error = refused(run, "undo", undoes=1)
    assert (error.status, "by correction 2" in str(error)) == (409, True)
    assert "make correction 1 again" in str(refused(run, "undo", undoes=2))


def test_a_run_that_is_being_recorded_is_left_alone(run: Path) -> None:
    with exclusive_writer(run), pytest.raises(UserError, match="another recorder"):
        correct(run, "merge", global_id=2, into=1)


def test_a_correction_that_a_crash_left_half_done_is_completed_by_the_next(run: Path) -> None:
    correct(run, "merge", global_id=2, into=1)
    made = read_corrections(run)
    newest = sorted((run / "identities").glob("*.parquet"))[-1]
    newest.unlink()
    write_corrections(run, type(made)(made.history, made.last, (1,)))
    assert owners(run)["hall", 2] == [2]
    correct(run, "name", global_id=3, name="Ben")
    assert owners(run)["hall", 2] == [1]
    assert read_corrections(run).pending == ()


def test_the_id_of_a_person_who_was_forgotten_is_not_given_again(run: Path) -> None:
    found = RunDirectory(run)
    remove_person(found, find_person(found, 4))
    assert refused(run, "name", global_id=4, name="Ben").status == 409
    assert refused(run, "name", global_id=5, name="Ben").status == 404
    assert correct(run, "move", camera_id="gate", track_id=3).new_id == 5


def test_a_damaged_file_is_named(run: Path) -> None:
    (run / "corrections.json").write_text("{")
    with pytest.raises(UserError, match=r"corrections\.json is damaged"):
        correct(run, "merge", global_id=2, into=1)


def test_a_track_that_never_closed_has_the_times_of_its_observations(run: Path) -> None:
    for path in (run / "tracklets").glob("*"):
        path.unlink()
    (part,) = KnownPeople(run).parts_of([2])
    assert (part.start, part.end) == (2.0, 3.9)
