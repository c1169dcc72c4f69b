"""Whether a confidence means what it says: reliability curves on walks and real recordings.

Rows are tenths of `confidence`: the share of decisions with it, their mean, and how many of those
are right; `ece` is the expected calibration error over all of them. A decision is right when its
global id is the one that its person has for longest. Walks are judged by track, means over seeds
that no rule was chosen by; recordings (CMC, WILDTRACK, from their given detections) by box, as
exports show it. Folders reid/, cmc/ and wildtrack/ are read from FUSETRACK_DATA.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from association import RECORDINGS, site
from pipeline.config.schema import ReidConfig
from pipeline.evaluation.boxes import BOX
from pipeline.reid.embedding import open_embedder
from pipeline.runtime.run import run_site
from recordings.multi_camera import Recording
from trackers.association.decision import CONFIRMED
from walking.crops import read_crops
from walking.reliability import JudgedTrack, curve, reliability
from walking.scene import make_scene
from walking.tracks import fusetrack, judged, walked

#: Set, cameras and people of the walks.
SCENES = (("cuhk03", 2, 24), ("cuhk03", 2, 40), ("market", 2, 100), ("market", 6, 100))
#: Name, and whether its calibration is used.
FILMED = (("CMC1", True), ("CMC2", True), ("WILDTRACK", True))
FIRST_SEED, SEEDS = 600, 3

Found = dict[str, object]


def figures(decisions: list[JudgedTrack]) -> Found:
    """The reliability of decisions, and its curve."""
    rows = [{k: round(v, 3) for k, v in asdict(tenth).items()} for tenth in curve(decisions)]
    return {**{k: round(v, 3) for k, v in reliability(decisions).items()}, "curve": rows}


def of_walks(data: Path, kept: Path, seeds: range) -> dict[str, Found]:
    """All decisions on all walks of a kind together."""
    reid = ReidConfig()
    found: dict[str, Found] = {}
    for name, cameras, people in SCENES:
        path = kept / f"{Path(reid.model).stem}-{name}.npy"
        crops = read_crops(data, name, path, lambda: open_embedder(reid, "cpu"))
        decisions: list[JudgedTrack] = []
        for number, seed in enumerate(seeds):
            scene = make_scene(crops, people, cameras, seed)
            found_here = judged(scene, walked(scene, crops, fusetrack(reid)))
            decisions += [_of_walk(one, number) for one in found_here]
        found[f"walk, {name}, {cameras} cameras, {people} people"] = figures(decisions)
    return found


def _of_walk(one: JudgedTrack, number: int) -> JudgedTrack:
    """The same with names that no other walk has."""
    apart = number * 1_000_000
    return JudgedTrack(
        one.person + apart, one.identity + apart, one.seconds, one.confidence, one.confirmed
    )


def of_recording(recording: Recording, *, calibrated: bool) -> list[JudgedTrack]:
    """The boxes of a run that show a person of the ground truth."""
    with tempfile.TemporaryDirectory() as folder:
        config = site(recording, Path(folder), calibrated, {})
        rows = run_site(config, Path(folder) / "run").trajectories()
    keys = ["camera_id", "frame_index", *BOX]
    truth = recording.truth.with_columns(pl.col(BOX).cast(pl.Float32)).select(*keys, "person_id")
    shown = (
        rows.filter(pl.col("global_id").is_not_null())
        .with_columns(pl.col(BOX).cast(pl.Float32))
        .join(truth, on=keys)
    )
    columns = shown.select("person_id", "global_id", "confidence", "state")
    return [
        JudgedTrack(person, identity, 1.0, confidence, state == CONFIRMED)
        for person, identity, confidence, state in columns.iter_rows()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--vectors", type=Path, metavar="FOLDER", help="keep the vectors here")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench confidence: set FUSETRACK_DATA to a folder that holds reid/, cmc/, ...")
    with tempfile.TemporaryDirectory() as folder:
        seeds = range(FIRST_SEED, FIRST_SEED + arguments.seeds)
        found = of_walks(Path(data), arguments.vectors or Path(folder), seeds)
    for name, calibrated in FILMED:
        found[name] = figures(of_recording(RECORDINGS[name](Path(data)), calibrated=calibrated))
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table("set", "ece", "confirmed right", "probable right", "confidence: right (share)")
    for name, values in found.items():
        table.add_row(name, *_cells(values))
    Console(width=200).print(table)


def _cells(values: Found) -> list[str]:
    rows = values["curve"]
    assert isinstance(rows, list)
    tenths = (f"{t['confidence']:.2f}: {t['right']:.2f} ({t['share']:.2f})" for t in rows)
    columns = ("ece", "confirmed_right", "probable_right")
    return [*(f"{values[name]:.3f}" for name in columns), ", ".join(tenths)]


if __name__ == "__main__":
    main()
