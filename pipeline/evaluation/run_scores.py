"""Score a run directory against ground truth."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import UserError, writing
from pipeline.evaluation.boxes import BOX, KEY
from pipeline.evaluation.ground_truth import annotated_cameras
from pipeline.evaluation.scores import Scores, SequenceScorer
from pipeline.evaluation.tally import ROOM
from pipeline.evaluation.truth_files import TruthFiles
from pipeline.run_directory.reader import RunDirectory, no_trajectories

# Frames whose true boxes are read at once.
_SPAN = 50_000

#: The headings of ``table_rows``.
COLUMNS = (
    *("camera", "ids", "HOTA", "DetA", "AssA", "IDF1", "MOTA"),
    *("switches", "false", "missed", "people", "of"),
)


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
    only in the run or only in the ground truth count as false positives or misses. Of a selected
    time, the frames from the first to the last observation count.

    Both are read a part after the other. Raises UserError when the run has no camera yet, and as
    `read_ground_truth`.
    """
    observed = {name for name in run.observed() if run.last_frame(name) >= 0}
    cameras = sorted({camera.camera_id for camera in run.cameras()} | observed)
    if not cameras:
        raise UserError(f"{run.path} has no camera to evaluate yet: expected a closed segment")
    annotated = annotated_cameras(ground_truth, cameras)
    by_track_id, by_global_id, doubled = {}, {}, 0
    with tempfile.TemporaryDirectory() as folder, SequenceScorer() as everything:
        with writing("the ground truth to a temporary file", ROOM):
            truth = TruthFiles(ground_truth, cameras, Path(folder))
        for name in annotated:
            with SequenceScorer() as tracks, SequenceScorer() as people:
                for rows, boxes in _parts(run, truth, name):
                    tracks.add(_by(rows, pl.col("track_id")), boxes)
                    named = _by(rows, _global_or_own_id(pl.col("track_id")))
                    people.add(named, boxes)
                    everything.add(named, boxes, name)
                    doubled += int(rows.select(_doubled().sum()).item())
                by_track_id[name], by_global_id[name] = tracks.scores(), people.scores()
        return Evaluation(
            by_track_id=by_track_id,
            by_global_id=by_global_id,
            all_cameras=everything.scores(),
            left_out=[name for name in cameras if name not in annotated],
            doubled=doubled,
        )


def _parts(
    run: RunDirectory, truth: TruthFiles, camera_id: str
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The trajectories of a camera and the true boxes of the same frames, in parts, in order."""
    chosen = run.selection
    reached = 0 if chosen.since == -math.inf else None
    for rows in run.chunks(camera_id) if camera_id in run.observed() else ():
        frames = rows["frame_index"].to_numpy()
        if not len(frames):
            continue
        for first, end in _spans(int(frames[0] if reached is None else reached), int(frames[-1])):
            here = pl.col("frame_index").is_between(first, end)
            yield rows.filter(here), truth.frames(camera_id, first, end)
        reached = int(frames[-1]) + 1
    if chosen.until == math.inf and reached is not None:
        for first, end in _spans(reached, truth.last_frame(camera_id)):
            yield no_trajectories(), truth.frames(camera_id, first, end)


def _spans(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The frames ``first`` to ``last``, a bounded number at a time."""
    for start in range(first, last + 1, _SPAN):
        yield start, min(start + _SPAN - 1, last)


def by_global_id(trajectories: pl.DataFrame) -> pl.DataFrame:
    """`RunDirectory.trajectories` as `score` takes them, a person for each global id.

    A track without a global id, and a box whose id another of its frame has, is a person of its
    own.
    """
    track = pl.struct("camera_id", "track_id").rank("dense").cast(pl.Int64)
    return _by(trajectories, _global_or_own_id(track))


def _by(rows: pl.DataFrame, person_id: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(person_id=person_id).select(*KEY, *BOX)


def _global_or_own_id(track: pl.Expr) -> pl.Expr:
    """The global id; a negative id of the number ``track`` where it is missing or doubled."""
    own_id = -1 - track
    return pl.when(_doubled()).then(own_id).otherwise(pl.coalesce("global_id", own_id))


def _doubled() -> pl.Expr:
    first = pl.struct("camera_id", "frame_index", "global_id").is_first_distinct()
    return pl.col("global_id").is_not_null() & ~first


def table_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """One row of ``COLUMNS`` for each camera and kind of id, then one for all cameras.

    ``false`` and ``missed`` count boxes; ``people`` is the number of predicted people, ``of`` the
    true number.
    """
    rows: list[tuple[str, ...]] = []
    for camera_id, by_track_id in evaluation.by_track_id.items():
        rows.append((camera_id, "track", *_cells(by_track_id)))
        rows.append((camera_id, "global", *_cells(evaluation.by_global_id[camera_id])))
    return [*rows, ("all cameras", "global", *_cells(evaluation.all_cameras))]


def _cells(scores: Scores) -> tuple[str, ...]:
    ratios = (scores.hota, scores.det_a, scores.ass_a, scores.idf1, scores.mota)
    counts = (scores.switches, scores.false_positives, scores.misses)
    people = (scores.predicted_ids, scores.truth_ids)
    return (*(f"{ratio:.3f}" for ratio in ratios), *(str(count) for count in (*counts, *people)))
