"""The figures of a walk in pixels, on a hand-made run."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.config.schema import ReidConfig
from pipeline.evaluation.boxes import BOX
from trackers.tracklet import Tracklet
from walking.composed import FPS, TRUTH
from walking.crops import CropFile
from walking.pixels import COLUMNS, candidates, measure
from walking.recorded import START, Recorded
from walking.scene import Scene, Visit

FRAMES = 40
NOW = START.timestamp()


def walk() -> Recorded:
    """Three people, each in its own half minute of two cameras, of whom the third is found in one
    of them only; everybody looks like a direction of their own."""
    visits = [
        Visit(
            2 * who + c,
            who,
            c,
            60.0 * who + 20 * c,
            60.0 * who + 20 * c + 4,
            (0,),
            *((0, 500.0),) * 2,
        )
        for who in range(3)
        for c in range(2)
    ]
    boxes, tracklets = [], []
    for visit in visits:
        times = visit.start + np.arange(FRAMES) / FPS
        boxes += [
            (
                f"c{visit.camera}",
                round(t * FPS),
                visit.person,
                3.0 * n,
                0.0,
                3.0 * n + 60,
                150.0,
                visit.number,
            )
            for n, t in enumerate(times)
        ]
        tracklets.append(_tracklet(visit, times + NOW))
    truth = pl.DataFrame(boxes, TRUTH, orient="row")
    observations = (
        truth.filter(pl.col("visit") != 5)
        .with_columns(
            track_id=pl.col("visit") + 1,
            timestamp=NOW + pl.col("frame_index") / FPS,
            score=pl.lit(0.9),
            ground_x=pl.lit(None, pl.Float64),
            ground_y=pl.lit(None, pl.Float64),
        )
        .select(
            "camera_id",
            "frame_index",
            "timestamp",
            "track_id",
            *BOX,
            "score",
            "ground_x",
            "ground_y",
        )
        .sort("camera_id", "frame_index", "track_id")
    )
    moments = [(t.end + 2.0, [t]) for t in tracklets[:5]]
    return Recorded(Scene(2, tuple(visits), ()), ReidConfig().model, truth, observations, moments)


def _tracklet(visit: Visit, times: np.ndarray) -> Tracklet:
    looks = np.zeros((8, 16), np.float32)
    looks[:, visit.person] = 1
    path = np.column_stack([times, 3.0 * np.arange(FRAMES), np.full((FRAMES, 2), 150.0)])
    return Tracklet(
        camera_id=f"c{visit.camera}",
        track_id=visit.number + 1,
        revision=1,
        start=float(times[0]),
        end=float(times[-1]),
        count=FRAMES,
        closed=True,
        exemplars=looks,
        qualities=np.full(8, 0.8, np.float32),
        exemplar_times=times[::5],
        path=path,
    )


def test_the_figures_of_a_walk() -> None:
    row = measure(walk())
    assert set(COLUMNS) <= row.keys()
    assert row["oracle"] == pytest.approx(2 * 200 / (240 + 200))
    assert row["clustering"] == pytest.approx(row["oracle"])
    assert row["idf1"] <= row["oracle"]
    assert row["idf1_by_track"] == pytest.approx((1 + 2 * 80 / 200) / 2)
    assert (row["purity"], row["tracks_per_visit"]) == (1, 1)
    assert row["never_seen"] == pytest.approx(1 / 6)
    assert row["links"] == 2


def test_pictures_are_of_people_whom_two_cameras_saw() -> None:
    """Of twelve people the last two were seen by one camera; a camera took 15 pictures of each."""
    pictures = [
        CropFile(Path(f"{who}-{camera}-{n}"), who, camera)
        for who in range(12)
        for camera in range(2 if who < 10 else 1)
        for n in range(15)
    ]
    chosen = candidates(pictures, 5, 2, 0)
    assert chosen == candidates(pictures, 5, 2, 0)
    assert chosen != candidates(pictures, 5, 2, 1)
    assert {one.person for one in chosen} <= set(range(10))
    assert len({one.person for one in chosen}) == 6
    assert len(chosen) == 6 * 2 * 10
    assert len(set(chosen)) == len(chosen)
