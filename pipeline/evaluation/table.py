"""An evaluation as the rows of a printed table."""

from pipeline.evaluation.run import Evaluation
from pipeline.evaluation.scores import Scores

#: The headings of ``table_rows``.
COLUMNS = (
    *("camera", "ids", "HOTA", "DetA", "AssA", "IDF1", "MOTA"),
    *("switches", "false", "missed", "people", "of"),
)


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
