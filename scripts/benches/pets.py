"""PETS 2009 S2.L1 view 001: fusetrack with its defaults, compared with ultralytics' trackers.

MOTA, IDF1 and HOTA against the ground truth; fusetrack by track id and by global id. The ground
truth names 19 people, but 9 of its names are people who left and came back under another; a row
of its own judges the global ids by the 10 people that this leaves. The others use the same
detector at the same input size, in PyTorch. `--no-peers` skips them.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from pipeline.config.schema import SiteConfig
from pipeline.evaluation import evaluate_run
from pipeline.evaluation.ground_truth import read_ground_truth
from pipeline.evaluation.run_scores import by_global_id
from pipeline.evaluation.scores import Scores, score
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options
from pipeline.weights import weights_path
from printing import show

CAMERA = "View_001_vtest"
# Names of people who came back and the name that they had before, by looking at their pictures.
CAME_BACK = {2: 13, 3: 11, 4: 12, 5: 9, 6: 10, 8: 15, 14: 15, 18: 15, 19: 1}
ROWS = ("mota", "idf1", "hota", "switches", "frames_per_s")


def ours(video: Path, truth: Path) -> dict[str, dict[str, float]]:
    """Run fusetrack with its defaults and score it."""
    with tempfile.TemporaryDirectory() as folder:
        config = with_options(SiteConfig(), [str(video)], {})
        begin = time.perf_counter()
        run = run_site(config, Path(folder) / "run")
        speed = sum(camera.frames for camera in run.cameras()) / (time.perf_counter() - begin)
        evaluation = evaluate_run(run, truth)
        came_back = by_person(run, truth)
    return {
        "fusetrack, track id": figures(evaluation.by_track_id[CAMERA], speed),
        "fusetrack, global id": figures(evaluation.all_cameras, speed),
        "fusetrack, global id, who came back is one": figures(came_back, speed),
    }


def by_person(run: RunDirectory, truth: Path) -> Scores:
    """Scores by global id where a person who came back is one person."""
    people = read_ground_truth(truth, [CAMERA]).with_columns(pl.col("person_id").replace(CAME_BACK))
    return score(by_global_id(run.trajectories()), people)


def peer(video: Path, truth: Path, tracker: str) -> dict[str, float]:
    """Run ultralytics' own tracking and score it."""
    os.environ.setdefault("YOLO_VERBOSE", "false")  # it prints to stdout, which is for the figures
    from ultralytics import YOLO

    begin = time.perf_counter()
    results = YOLO(weights_path("yolo26n", kind="detector")).track(
        str(video), tracker=f"{tracker}.yaml", classes=[0], imgsz=640, verbose=False, stream=True
    )
    rows = [
        (CAMERA, index, int(box.id), *map(float, box.xyxy[0]))
        for index, result in enumerate(results)
        for box in result.boxes
        if box.id is not None
    ]
    speed = (rows[-1][1] + 1) / (time.perf_counter() - begin)
    columns = ["camera_id", "frame_index", "person_id", "x1", "y1", "x2", "y2"]
    predicted = pl.DataFrame(rows, columns, orient="row")
    return figures(score(predicted, read_ground_truth(truth, [CAMERA])), speed)


def figures(scores: Scores, speed: float) -> dict[str, float]:
    """The figures in one row of the table."""
    return {
        "mota": round(scores.mota, 4),
        "idf1": round(scores.idf1, 4),
        "hota": round(scores.hota, 4),
        "switches": scores.switches,
        "frames_per_s": round(speed, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench pets: set FUSETRACK_DATA to a folder that contains pets2009/")
    folder = Path(data) / "pets2009"
    video, truth = folder / f"{CAMERA}.avi", folder / "PETS2009-S2L1.xml"
    found = ours(video, truth)
    if not arguments.no_peers:
        for tracker in ("bytetrack", "botsort"):
            found[f"ultralytics {tracker}"] = peer(video, truth, tracker)
    show(found, "PETS view 001", ROWS, as_json=arguments.json)


if __name__ == "__main__":
    main()
