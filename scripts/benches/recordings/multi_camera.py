"""Recordings of several synchronised cameras with ground truth of global ids."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.boxes import BOX, KEY, SCHEMA
from pipeline.evaluation.run_scores import by_global_id
from pipeline.evaluation.scores import Scores, score

_MOMENT = ["camera_id", "frame_index"]
# A person without a detection is a box of this size in the truth, which no detection overlaps.
_TINY = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Detections, calibration and ground truth of synchronised cameras.

    ``detections`` has camera_id, frame_index, timestamp, x1, y1, x2, y2, score and optionally
    embedding. ``projections`` are ``(3, 4)`` from metres to pixels, by camera. ``truth`` has the
    columns of `boxes.SCHEMA`. Boxes in ``unjudged`` (``KEY`` without a person, and ``BOX``) are
    not scored, and neither are cameras without ``truth``. ``truth_in_size`` is another opinion on
    whose box each is, see `boxes_of_points`.
    """

    detections: pl.DataFrame
    projections: Mapping[str, NDArray[np.float64]]
    truth: pl.DataFrame
    unjudged: pl.DataFrame | None = None
    truth_in_size: pl.DataFrame | None = None

    def score(self, trajectories: pl.DataFrame) -> Scores:
        """Scores of `RunDirectory.trajectories` against the ground truth, by global id."""
        predicted = trajectories.filter(
            pl.col("camera_id").is_in(self.truth["camera_id"].unique().implode())
        ).with_columns(pl.col(BOX).cast(pl.Float64))
        if self.unjudged is not None:
            predicted = predicted.join(self.unjudged, on=[*_MOMENT, *BOX], how="anti")
        return score(by_global_id(predicted), self.truth)


def boxes_of_points(detections: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Ground truth boxes from ground truth points, by matching the points to detections.

    ``points`` has camera_id, frame_index, person_id, u and v, the centre of a body in pixels. A
    point is matched to at most one detection whose box contains it, with the most central points
    in total; a person without a matching detection gets a tiny box at the point. With columns
    ``head`` and ``foot``, pixels down the picture, what counts is how central a point is times the
    share of the height that person and box have in common: where one hides another, the centres
    are in one box, and only its size says whose it is.
    """
    sizes = ["head", "foot"] if "head" in points.columns else []
    boxes = {key: rows for key, rows in detections.group_by(_MOMENT)}
    found = []
    for (camera_id, frame_index), rows in points.sort(KEY).group_by(_MOMENT, maintain_order=True):
        here = boxes.get((camera_id, frame_index))
        places = rows.select("u", "v").to_numpy()
        truth = np.column_stack([places, places + _TINY])
        if here is not None:
            corners = here.select(BOX).to_numpy().astype(np.float64)
            extents = rows.select(sizes).to_numpy() if sizes else None
            who, which = _one_to_one(places, corners, extents)
            truth[who] = corners[which]
        for person_id, box in zip(rows["person_id"], truth.tolist(), strict=True):
            found.append((camera_id, frame_index, person_id, *box))
    return pl.DataFrame(found, schema=SCHEMA, orient="row").sort(KEY)


def _one_to_one(
    points: NDArray[np.float64],
    boxes: NDArray[np.float64],
    extents: NDArray[np.float64] | None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    off = (np.abs(points[:, None] - middles[None]) / sizes[None]).max(axis=2)
    likeness = np.where(off < 0.5, 1 - off, 0)
    if extents is not None:
        likeness *= _common(extents, boxes[:, [1, 3]])
    who, which = linear_sum_assignment(likeness, maximize=True)
    right = likeness[who, which] > 0
    return who[right], which[right]


def _common(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union ``(N, M)`` of intervals ``(N, 2)`` and ``(M, 2)``."""
    begin, end = some[:, None, 0], some[:, None, 1]
    both = np.minimum(end, others[:, 1]) - np.maximum(begin, others[:, 0])
    either = np.maximum(end, others[:, 1]) - np.minimum(begin, others[:, 0])
    return np.asarray(both.clip(0) / either)
