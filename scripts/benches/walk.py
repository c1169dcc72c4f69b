"""People who walk from camera to camera where nothing is calibrated: do they keep their ids?

Tracks without pixels: the vectors of real crops, of people no training saw, walk past two to six
cameras with known truth (`walking/`). Means over seeds, with their standard deviation. Beside
fusetrack: an oracle on the same tracks, and average-linkage clustering of mean vectors of all
tracks at once with the threshold that is best for each scene, which nobody can know beforehand.
Rules are chosen on the sets with ``train`` in their name; report the others.

With ``--pixels`` the same people, cut out of their crops, walk through real backgrounds, and the
videos of it go through a whole run with its defaults. The masks, and what each run gave, are kept
in the folder; what was run before is only decided again, by the present rules.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from simulation.clustering import average_linkage
from trackers.association.association import Association, Decision
from trackers.tracklet import Tracklet, TrackletKey
from walking import pixels
from walking.crops import SETS, Crops, read_crops
from walking.reliability import reliability
from walking.scene import Scene, make_scene
from walking.score import Ids, oracle, score
from walking.stream import PARTS, stream
from walking.tracks import fusetrack, judged, walked

#: Set, cameras and people.
SCENES = (
    ("cuhk03", 2, 24),
    ("cuhk03", 2, 40),
    ("market", 2, 24),
    ("market", 2, 100),
    ("market", 4, 100),
    ("market", 6, 24),
    ("market", 6, 100),
    ("market", 6, 200),
)
FIRST_SEED, SEEDS = 100, 5
_THRESHOLDS = np.arange(0.2, 0.9, 0.025)
COLUMNS = (
    "idf1",
    "idf1_online",
    "oracle",
    "clustering",
    "assa",
    "ids_per_person",
    "right",
    "wrong",
    "wrong_per_person",
    "ece",
    "confirmed",
    "confirmed_right",
    "probable_right",
    "missed_impure",
    "missed_alike",
    "missed_taken",
    "missed_alone",
)

Row = dict[str, float]


def measure(scene: Scene, crops: Crops, association: Association) -> Row:
    """The figures of one walk."""
    found = walked(scene, crops, association)
    return {
        **score(scene, crops, _by_track(found.ids, found.last)),
        **reliability(judged(scene, found)),
        "idf1_online": score(scene, crops, _by_track(found.online, found.last))["idf1"],
        "oracle": score(scene, crops, oracle(scene))["idf1"],
        "clustering": max(score(scene, crops, c)["idf1"] for c in _clusterings(scene, crops)),
    }


def _by_track(ids: Mapping[TrackletKey, Decision], last: Mapping[TrackletKey, Tracklet]) -> Ids:
    """What each track of the scene was taken for, since when."""
    found: dict[int, list[tuple[float, int]]] = {}
    for key in sorted(last):
        global_id = ids[key].global_id if key in ids else -1
        found.setdefault(key[1] // PARTS, []).append((last[key].start, global_id))
    return found


def _clusterings(scene: Scene, crops: Crops) -> Iterable[Ids]:
    last = [t for _, tracklets in stream(scene, crops, None) for t in tracklets if t.closed]
    seen = sorted((t for t in last if len(t.exemplars)), key=lambda t: t.key)
    for threshold in _THRESHOLDS:
        yield {
            track // PARTS: [(-np.inf, label)]
            for label, members in enumerate(average_linkage(seen, float(threshold)))
            for _, track in members
        }


def mean_of(rows: list[Row], columns: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each column."""
    return {
        column: (
            round(float(np.mean([row[column] for row in rows])), 3),
            round(float(np.std([row[column] for row in rows])), 3),
        )
        for column in columns
    }


def _in_tracks(
    data: Path, scene: tuple[str, int, int], seeds: range, reid: ReidConfig, kept: Path
) -> list[Row]:
    name, cameras, people = scene
    path = kept / f"{Path(reid.model).stem}-{name}.npy"
    crops = read_crops(data, name, path, lambda: open_embedder(reid, "cpu"))
    return [
        measure(make_scene(crops, people, cameras, seed), crops, fusetrack(reid)) for seed in seeds
    ]


def _in_pixels(
    data: Path, scene: tuple[str, int, int], seeds: range, reid: ReidConfig, kept: Path
) -> list[Row]:
    rows = []
    for seed in seeds:
        recorded = pixels.walk_in_pixels(data, *scene, seed, reid.model, kept)
        rows.append(pixels.measure(recorded))
        figures = {name: round(rows[-1][name], 3) for name in pixels.COLUMNS}
        print(json.dumps({"scene": scene, "seed": seed, **figures}), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--reid", default=ReidConfig().model, help="the network, name or path")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument(
        "--pixels", type=Path, metavar="FOLDER", help="as video; keep the runs here"
    )
    parser.add_argument("--vectors", type=Path, metavar="FOLDER", help="keep the vectors here")
    parser.add_argument(
        "--scene", nargs=3, action="append", metavar=("SET", "CAMERAS", "PEOPLE"), help="repeat"
    )
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench walk: set FUSETRACK_DATA to a folder that holds reid/")
    usual = pixels.SCENES if arguments.pixels else SCENES
    scenes = [(s, int(c), int(p)) for s, c, p in arguments.scene or ()] or usual
    if unknown := {name for name, *_ in scenes} - SETS.keys():
        sys.exit(f"bench walk: no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    reid = ReidConfig(model=arguments.reid)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    columns = pixels.COLUMNS if arguments.pixels else COLUMNS
    found: dict[str, dict[str, tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, cameras, people in scenes:
            if arguments.pixels:
                rows = _in_pixels(
                    Path(data), (name, cameras, people), seeds, reid, arguments.pixels
                )
            else:
                kept = arguments.vectors or Path(folder)
                rows = _in_tracks(Path(data), (name, cameras, people), seeds, reid, kept)
            found[f"{name}, {cameras} cameras, {people} people"] = mean_of(rows, columns)
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table("scene", *columns)
    for name, figures in found.items():
        table.add_row(name, *(f"{mean:.3f} ±{spread:.3f}" for mean, spread in figures.values()))
    Console(width=240).print(table)


if __name__ == "__main__":
    main()
