"""A run directory against ground truth: each camera by both ids, and all cameras together."""

import errno
import json
import os
from pathlib import Path

import pytest

from builders import Observation, camera, make_run
from pipeline.errors import UserError
from pipeline.evaluation import COLUMNS, evaluate_run, mot, run_scores, table_rows, tally
from pipeline.run_directory import reader, segments
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.selection import Selection

FRAMES = 4


def _walk(camera_id: str, track_id: int, x: float) -> list[Observation]:
    return [(camera_id, frame, track_id, (x, 0, x + 10, 20)) for frame in range(FRAMES)]


BOTH = [row for name in ("a", "b") for row in [*_walk(name, 1, 0), *_walk(name, 2, 100)]]


def _truth(folder: Path, *cameras: str) -> Path:
    """Persons 1 (at x = 0) and 2 (at x = 100) in every camera."""
    folder.mkdir()
    lines = [f"{f + 1},{p},{x},0,10,20,1,1,1" for f in range(FRAMES) for p, x in ((1, 0), (2, 100))]
    for name in cameras:
        (folder / f"{name}.txt").write_text("\n".join(lines))
    return folder


def test_ids_swapped_between_cameras_lower_only_the_overall_score(tmp_path: Path) -> None:
    gids = {("a", 1): 1, ("a", 2): 2, ("b", 1): 2, ("b", 2): 1}
    run = RunDirectory(make_run(tmp_path / "run", BOTH, gids))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a", "b"))
    for scores in (*found.by_track_id.values(), *found.by_global_id.values()):
        assert (scores.hota, scores.idf1, scores.mota) == pytest.approx((1.0, 1.0, 1.0))
    assert found.all_cameras.idf1 == pytest.approx(0.5)
    assert found.all_cameras.switches == 2
    assert (found.all_cameras.truth_ids, found.all_cameras.predicted_ids) == (2, 2)
    assert (found.left_out, found.doubled) == ([], 0)


def test_the_same_people_in_both_cameras_are_perfect(tmp_path: Path) -> None:
    gids = {("a", 1): 5, ("a", 2): 6, ("b", 1): 5, ("b", 2): 6}
    run = RunDirectory(make_run(tmp_path / "run", BOTH, gids))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a", "b"))
    assert (found.all_cameras.hota, found.all_cameras.idf1) == pytest.approx((1.0, 1.0))


def test_a_track_without_a_global_id_counts_as_its_own_person(tmp_path: Path) -> None:
    gids = {("a", 1): 5, ("a", 2): 6, ("b", 1): 5}
    run = RunDirectory(make_run(tmp_path / "run", BOTH, gids))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a", "b"))
    assert found.all_cameras.n_predicted == len(BOTH)
    assert found.all_cameras.predicted_ids == 3
    assert found.all_cameras.mota == pytest.approx(1 - 1 / 16)
    assert found.all_cameras.idf1 == pytest.approx(12 / 16)


def test_a_run_without_any_identity(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", BOTH, {}))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a", "b"))
    assert found.by_global_id == found.by_track_id
    assert (found.all_cameras.predicted_ids, found.all_cameras.idf1) == (4, 0.5)


def test_a_second_box_with_a_global_id_has_none_and_costs(tmp_path: Path) -> None:
    gids = {(name, track): 5 for name in ("a", "b") for track in (1, 2)}
    run = RunDirectory(make_run(tmp_path / "run", BOTH, gids))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a", "b"))
    assert found.doubled == 0
    assert found.all_cameras.n_predicted == len(BOTH)
    # Person 1 has id 5 in both cameras; person 2 has an id of the track's own in each.
    assert found.all_cameras.idf1 == pytest.approx(12 / 16)


def test_cameras_without_ground_truth_are_named_and_not_scored(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", BOTH, {}))
    found = evaluate_run(run, _truth(tmp_path / "truth", "b"))
    assert found.left_out == ["a"]
    assert list(found.by_track_id) == list(found.by_global_id) == ["b"]
    assert (found.all_cameras.n_predicted, found.all_cameras.idf1) == (8, 1.0)


def test_a_run_without_people_has_only_misses(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", [], {}, cameras=[camera("a")]))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a"))
    assert (found.all_cameras.misses, found.all_cameras.n_predicted) == (8, 0)
    assert list(found.by_track_id) == ["a"]


def test_people_missing_in_the_truth_are_false_positives(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", _walk("a", 1, 0), {}))
    (tmp_path / "a.txt").write_text("1,1,900,900,10,20,1,1,1\n")
    found = evaluate_run(run, tmp_path / "a.txt")
    assert (found.all_cameras.false_positives, found.all_cameras.n_truth) == (FRAMES, 1)


def test_a_run_that_was_killed_before_its_first_segment(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", [], {}, cameras=[]))
    with pytest.raises(UserError, match="has no camera to evaluate yet"):
        evaluate_run(run, _truth(tmp_path / "truth", "a"))


def test_cameras_are_known_without_the_list_of_cameras(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", BOTH, {})
    (folder / "cameras.json").unlink()
    found = evaluate_run(RunDirectory(folder), _truth(tmp_path / "truth", "a", "b"))
    assert list(found.by_track_id) == ["a", "b"]


def test_parts_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*BOTH, *_walk("a", 3, 30), *_walk("b", 7, 103)]
    gids = {("a", 1): 1, ("a", 2): 2, ("b", 1): 2, ("b", 7): 4}
    monkeypatch.setattr(segments, "GROUP_ROWS", 3)
    path = make_run(tmp_path / "run", sorted(rows, key=lambda row: row[1]), gids)
    truth = _truth(tmp_path / "truth", "a", "b")
    whole = evaluate_run(RunDirectory(path), truth)
    monkeypatch.setattr(reader, "_CHUNK_ROWS", 1)
    assert len(list(RunDirectory(path).chunks("a"))) == FRAMES
    monkeypatch.setattr(run_scores, "_SPAN", 1)
    monkeypatch.setattr(mot, "_PART_ROWS", 3)
    assert evaluate_run(RunDirectory(path), truth) == whole


def test_only_frames_of_the_selected_time_count(tmp_path: Path) -> None:
    rows = _walk("a", 1, 0)
    path = make_run(tmp_path / "run", rows, {})
    (tmp_path / "a.txt").write_text("".join(f"{f},1,0,0,10,20,1,1,1\n" for f in range(1, 9)))
    times = RunDirectory(path).trajectories()["timestamp"]
    for chosen, misses in (
        (Selection(), 4),
        (Selection(since=times[1]), 4),
        (Selection(until=times[3]), 0),
        (Selection(since=times[1], until=times[3]), 0),
        (Selection(since=times[-1] + 1, until=times[-1] + 2), 0),
    ):
        found = evaluate_run(RunDirectory(path, chosen), tmp_path / "a.txt").all_cameras
        kept = sum(chosen.since <= time < chosen.until for time in times)
        assert (found.misses, found.false_positives, found.n_predicted) == (misses, 0, kept)


def test_the_result_is_json_and_a_table(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", BOTH, {("a", 1): 1}))
    found = evaluate_run(run, _truth(tmp_path / "truth", "a", "b"))
    values = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert values["all_cameras"]["idf1"] == 0.5
    assert values["by_track_id"]["a"]["switches"] == 0
    rows = table_rows(found)
    assert [row[:2] for row in rows] == [
        ("a", "track"),
        ("a", "global"),
        ("b", "track"),
        ("b", "global"),
        ("all cameras", "global"),
    ]
    last = dict(zip(COLUMNS, rows[-1], strict=True))
    assert (last["IDF1"], last["switches"], last["people"], last["of"]) == ("0.500", "2", "4", "2")


def test_a_full_temporary_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(make_run(tmp_path / "run", BOTH, {}))
    truth = _truth(tmp_path / "truth", "a", "b")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        line = r"cannot write the ground truth .*No space left.*TMPDIR"
        with pytest.raises(UserError, match=line):
            evaluate_run(run, truth)
    monkeypatch.setattr(tally.pickle, "dump", full)
    with pytest.raises(UserError, match=r"cannot write to a temporary file: No space left.*TMPDIR"):
        evaluate_run(run, truth)
