"""Boxes of a run against the truth, by hand and against TrackEval."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.boxes import BOX, KEY, SCHEMA
from pipeline.evaluation.scores import score
from trackers.tracklet import Tracklet
from walking.box_score import appearances, idf1, match, purity, with_tracks
from walking.composed import FPS, TRUTH
from walking.recorded import START, Recorded
from walking.scene import Scene, Visit

FRAMES = 20


def visit(number: int, person: int) -> Visit:
    return Visit(number, person, 0, 0.0, 2.0, (9,), (0.0, 600.0), (1920.0, 600.0))


def boxes(
    rows: list[tuple[int, int, float]], extra: dict[str, list[int]], schema: pl.Schema
) -> pl.DataFrame:
    """Frame, id and left edge; 20 x 50 pixels."""
    names = ["camera_id", "frame_index", "person_id", *BOX]
    data = [("c0", frame, who, x, 0.0, x + 20, 50.0) for frame, who, x in rows]
    frame = pl.DataFrame(data, {name: schema[name] for name in names}, orient="row")
    return frame.with_columns(**{k: pl.Series(v) for k, v in extra.items()})


def truth() -> pl.DataFrame:
    """Two people, who stand beside each other."""
    rows = [(frame, who, 100.0 * who) for frame in range(FRAMES) for who in (1, 2)]
    return boxes(rows, {"visit": [who - 1 for _, who, _ in rows]}, TRUTH)


def found(*tracks: tuple[int, list[tuple[int, float]]]) -> pl.DataFrame:
    """Each track with its frames and left edges."""
    rows = [(frame, number, x) for number, steps in tracks for frame, x in steps]
    table = boxes(rows, {}, SCHEMA).rename({"person_id": "track_id"})
    time = START.timestamp() + pl.col("frame_index") / FPS
    return table.with_columns(timestamp=time).sort("camera_id", "frame_index", "track_id")


def swapped() -> pl.DataFrame:
    """Two tracks that change places after the fifth frame; the second misses the last frame."""
    there = {1: 101.0, 2: 203.0}
    return found(
        (1, [(f, there[1 if f < 5 else 2]) for f in range(FRAMES)]),
        (2, [(f, there[2 if f < 5 else 1]) for f in range(FRAMES - 1)]),
    )


def recorded(observations: pl.DataFrame) -> Recorded:
    scene = Scene(1, (visit(0, 1), visit(1, 2)), ())
    return Recorded(scene, "", truth(), observations, [])


def test_idf1_is_that_of_trackeval() -> None:
    run = swapped()
    matches = match(truth(), run)
    mine = idf1(matches, truth()["person_id"].to_numpy(), run["track_id"].to_numpy())
    theirs = score(run.rename({"track_id": "person_id"}), truth().select(*KEY, *BOX))
    assert mine == pytest.approx(theirs.idf1)
    assert mine == pytest.approx(2 * 29 / (40 + 39))


def test_a_box_that_overlaps_too_little_shows_nobody() -> None:
    """20 pixels wide: moved by 7 the overlap is 13 / 27, by 6 14 / 26."""
    run = found((1, [(0, 107.0), (1, 106.0)]))
    assert match(truth(), run).shows.tolist() == [-1, 2]


def test_nothing_was_found() -> None:
    run = swapped().clear()
    matches = match(truth(), run)
    none = run["track_id"].to_numpy()
    assert idf1(matches, truth()["person_id"].to_numpy(), none) == 0
    scene, numbers = with_tracks(recorded(run), matches)
    assert (scene.tracks, numbers, purity(scene)) == ((), {}, 1.0)


def test_a_swap_is_in_the_tracks() -> None:
    run = swapped()
    scene, numbers = with_tracks(recorded(run), match(truth(), run))
    assert numbers == {("c0", 1): 1, ("c0", 2): 2}
    first = scene.tracks[0]
    assert [(p.visit.person, p.start, p.end) for p in first.pieces] == [
        (1, 0.0, pytest.approx(0.5)),
        (2, pytest.approx(0.5), pytest.approx(2.0)),
    ]
    assert purity(scene) == pytest.approx((15 + 14) / 39)


def test_looks_are_of_what_was_shown_at_the_time() -> None:
    """The first track showed one person at 0.2 s, the other from 0.5 s on."""
    run = swapped()
    scene, numbers = with_tracks(recorded(run), match(truth(), run))
    times = np.array([0.2, 1.0, 1.5]) + START.timestamp()
    vectors = np.eye(3, dtype=np.float32)
    tracklet = Tracklet(
        camera_id="c0",
        track_id=1,
        revision=1,
        start=float(times[0]),
        end=float(times[-1]),
        count=3,
        closed=True,
        exemplars=vectors,
        qualities=np.ones(3, np.float32),
        exemplar_times=times,
        path=np.column_stack([times, np.zeros((3, 3))]),
    )
    scene, crops = appearances(scene, numbers, [tracklet])
    assert [v.rows for v in scene.visits] == [(0,), (1,)]
    assert crops.vectors[0].tolist() == [1, 0, 0]
    assert crops.vectors[1].tolist() == pytest.approx([0, 0.5**0.5, 0.5**0.5])
    assert all(p.visit.rows == (p.visit.number,) for t in scene.tracks for p in t.pieces)
