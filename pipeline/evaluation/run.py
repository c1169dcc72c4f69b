"""Score a run directory against ground truth."""

from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import UserError
from pipeline.evaluation.boxes import BOX, KEY
from pipeline.evaluation.ground_truth import annotated_cameras, read_ground_truth
from pipeline.evaluation.scores import Scores, score
from pipeline.run_directory.reader import RunDirectory


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a run: each camera by track id and by global id, all cameras by global id.

    ``left_out`` are the cameras of the run without ground truth, which are not scored. ``doubled``
    is the number of boxes whose global id already belongs to another box of the same frame.
    """

    by_track_id: dict[str, Scores]
    by_global_id: dict[str, Scores]
    all_cameras: Scores
    left_out: list[str]
    doubled: int

    def as_dict(self) -> dict[str, object]:
        """Plain values, ready for json."""
        return asdict(self)


def evaluate_run(run: RunDirectory, ground_truth: Path) -> Evaluation:
    """Score ``run`` against the ``ground_truth`` file or folder.

    For the score over all cameras, their frames are concatenated into one sequence with the same
    global ids, so a person with different global ids in two cameras is penalised. A track without
    a global id counts as a separate person, and so do the ``doubled`` boxes. Frames that exist
    only in the run or only in the ground truth count as false positives or misses.

    Raises UserError when the run has no camera yet, and as `read_ground_truth`.
    """
    rows = run.trajectories()
    cameras = sorted({camera.camera_id for camera in run.cameras()} | set(rows["camera_id"]))
    if not cameras:
        raise UserError(f"{run.path} has no camera to evaluate yet: expected a closed segment")
    annotated = annotated_cameras(ground_truth, cameras)
    truth = read_ground_truth(ground_truth, cameras)
    rows = rows.filter(pl.col("camera_id").is_in(annotated))
    tracks, people = _by(rows, pl.col("track_id")), by_global_id(rows)
    return Evaluation(
        by_track_id={name: _camera_score(name, tracks, truth) for name in annotated},
        by_global_id={name: _camera_score(name, people, truth) for name in annotated},
        all_cameras=score(people, truth),
        left_out=[name for name in cameras if name not in annotated],
        doubled=int(rows.select(_doubled().sum()).item()),
    )


def by_global_id(trajectories: pl.DataFrame) -> pl.DataFrame:
    """`RunDirectory.trajectories` as `score` takes them, a person for each global id.

    A track without a global id, and a box whose id another of its frame has, is a person of its
    own.
    """
    return _by(trajectories, _global_or_own_id())


def _by(rows: pl.DataFrame, person_id: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(person_id=person_id).select(*KEY, *BOX)


def _global_or_own_id() -> pl.Expr:
    """The global id; a negative id unique to the track where it is missing or doubled."""
    own_id = -pl.struct("camera_id", "track_id").rank("dense").cast(pl.Int64)
    return pl.when(_doubled()).then(own_id).otherwise(pl.coalesce("global_id", own_id))


def _doubled() -> pl.Expr:
    first = pl.struct("camera_id", "frame_index", "global_id").is_first_distinct()
    return pl.col("global_id").is_not_null() & ~first


def _camera_score(camera_id: str, predicted: pl.DataFrame, truth: pl.DataFrame) -> Scores:
    here = pl.col("camera_id") == camera_id
    return score(predicted.filter(here), truth.filter(here))
