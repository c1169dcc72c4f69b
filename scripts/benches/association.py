"""One id for a person in all cameras, on real recordings: CMC, WILDTRACK and PETS 2009.

IDF1, MOTA and switches over all cameras by global id; CMC's IDF1 also by a truth that gives a box
that holds several people to the one whose size in the picture it has (`idf1_in_size`). Each
recording runs from its given detections with the defaults, and where it has embeddings also without
its calibration; `--ablation` takes one part away at a time instead; `--thinned N` adds the means
over N runs, each without 3 % of the detections, by chance: a single figure may be luck. Folders
cmc/, wildtrack/ and pets2009/ are read from FUSETRACK_DATA.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.run_directory.reader import trajectories_of
from pipeline.runtime.run import run_site
from printing import show
from recordings.cmc import read_cmc
from recordings.multi_camera import Recording
from recordings.pets_views import read_pets_views
from recordings.wildtrack_recording import read_wildtrack

RECORDINGS: dict[str, Callable[[Path], Recording]] = {
    "CMC1": lambda data: read_cmc(data / "cmc", "CMC1"),
    "CMC2": lambda data: read_cmc(data / "cmc", "CMC2"),
    "WILDTRACK": lambda data: read_wildtrack(data / "wildtrack"),
    "PETS": lambda data: read_pets_views(data / "pets2009"),
}
ROWS = ("idf1", "mota", "hota", "switches", "ids", "of", "seconds")
# By the truth that also looks at how large people are in the picture, where there is one.
_IN_SIZE = "idf1_in_size"
_LEFT_OUT = 0.03


def measure(
    recording: Recording,
    settings: Mapping[str, object] | None = None,
    *,
    calibrated: bool = True,
    left_out: tuple[str, ...] = (),
) -> dict[str, float]:
    """Run a recording from its detections and score it; events of the kinds ``left_out`` not."""
    with tempfile.TemporaryDirectory() as folder:
        config = site(recording, Path(folder), calibrated, settings or {})
        begin = time.perf_counter()
        run = run_site(config, Path(folder) / "run")
        seconds = time.perf_counter() - begin
        events = run.events().filter(~pl.col("kind").is_in(left_out))
        trajectories = trajectories_of(run.observations(), events)
    scores = recording.score(trajectories)
    in_size = recording.truth_in_size
    return {
        **{name: round(getattr(scores, name), 4) for name in ("idf1", "mota", "hota")},
        "switches": scores.switches,
        "ids": scores.predicted_ids,
        "of": scores.truth_ids,
        "seconds": round(seconds, 1),
        **({} if in_size is None else {_IN_SIZE: _idf1(recording, in_size, trajectories)}),
    }


def _idf1(recording: Recording, truth: pl.DataFrame, trajectories: pl.DataFrame) -> float:
    return round(replace(recording, truth=truth).score(trajectories).idf1, 4)


def site(
    recording: Recording, folder: Path, calibrated: bool, settings: Mapping[str, object]
) -> SiteConfig:
    """The site of a recording, with all defaults but ``settings``."""
    recording.detections.write_parquet(folder / "detections.parquet")
    cameras = {
        str(camera_id): {
            "source": str(folder / "detections.parquet"),
            **(
                {"calibration": {"projection": recording.projections[str(camera_id)].tolist()}}
                if calibrated
                else {}
            ),
        }
        for camera_id in recording.detections["camera_id"].unique().sort()
    }
    return check_config({"cameras": cameras, **settings}, "the bench")


@contextmanager
def without_hard_rules() -> Iterator[None]:
    """As if one person could be twice in one camera at one time."""

    def each_its_best(cost: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        rows = np.arange(len(cost) if cost.shape[1] else 0)
        return rows, cost.argmin(axis=1) if len(rows) else rows

    following = "trackers.ground.following.linear_sum_assignment"
    with patch(following, each_its_best):
        yield


def has_embeddings(recording: Recording) -> bool:
    """Whether there is appearance, not only place."""
    return "embedding" in recording.detections.columns


def ablations(recording: Recording) -> Iterator[tuple[str, dict[str, float]]]:
    """The contribution of each part: the figures without it."""
    # What is confirmed is said again, also of what was split off.
    splits = ("split", "confirmed")
    yield "without splits", measure(recording, left_out=splits)
    yield "without refinement", measure(recording, left_out=(*splits, "merged", "reassigned"))
    if has_embeddings(recording):
        yield "without space", measure(recording, calibrated=False)
        one = {"reid": {"exemplars": 1}}
        yield "with one exemplar", measure(recording, one)
        raw = {"association": {"similarity": {"slope": 4.0, "midpoint": 0.5}}}
        yield "without calibrated scores", measure(recording, raw)
        blind = Recording(
            recording.detections.drop("embedding"),
            recording.projections,
            recording.truth,
            recording.unjudged,
        )
        yield "without appearance", measure(blind)
    with without_hard_rules():
        yield "without hard rules", measure(recording)


def thinned(recording: Recording, times: int) -> dict[str, float]:
    """The means over several runs, each without other detections, and the error of IDF1's."""
    found = []
    for seed in range(times):
        chance = np.random.default_rng(seed).random(len(recording.detections))
        kept = recording.detections.filter(pl.Series(chance >= _LEFT_OUT))
        found.append(measure(replace(recording, detections=kept)))
    names = [name for name in (*ROWS, _IN_SIZE) if name in found[0]]
    means = {name: round(float(np.mean([one[name] for one in found])), 4) for name in names}
    error = float(np.std([one["idf1"] for one in found])) / times**0.5
    return {**means, "idf1_error": round(error, 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--thinned", type=int, default=0, metavar="N")
    parser.add_argument("--only", choices=RECORDINGS, action="append")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit(
            "bench association: set FUSETRACK_DATA to a folder with cmc/, wildtrack/, pets2009/"
        )
    found: dict[str, dict[str, float]] = {}
    for name in arguments.only or RECORDINGS:
        recording = RECORDINGS[name](Path(data))
        found[name] = measure(recording)
        if arguments.thinned:
            found[f"{name}, thinned"] = thinned(recording, arguments.thinned)
        if arguments.ablation:
            found |= {f"{name}, {part}": figures for part, figures in ablations(recording)}
        elif has_embeddings(recording):
            found[f"{name}, without calibration"] = measure(recording, calibrated=False)
    show(found, "all cameras, global id", (*ROWS, _IN_SIZE), as_json=arguments.json)


if __name__ == "__main__":
    main()
