"""HOTA, Identity and CLEAR scores of a prediction, computed by TrackEval in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluation.boxes import BOX, KEY, check_unique_ids

#: Minimum intersection over union of a match for CLEAR and Identity.
MATCH_IOU = 0.5
_MOMENT = ["camera_id", "frame_index"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a prediction against ground truth.

    Ratios are 0..1 (``mota`` can be negative). ``hota``, ``det_a``, ``ass_a`` and ``loc_a`` are
    means over the thresholds 0.05 to 0.95; ``motp`` is the mean overlap of the matched boxes.
    As in TrackEval, all ratios are 0 and ``loc_a`` is 1 when either side has no boxes, and
    ``fragments`` also counts absences of a person from the ground truth. ``n_truth`` and
    ``n_predicted`` count boxes, ``truth_ids`` and ``predicted_ids`` people.
    """

    hota: float
    det_a: float
    ass_a: float
    loc_a: float
    idf1: float
    id_precision: float
    id_recall: float
    mota: float
    motp: float
    switches: int
    fragments: int
    false_positives: int
    misses: int
    n_truth: int
    n_predicted: int
    truth_ids: int
    predicted_ids: int


def score(predicted: pl.DataFrame, truth: pl.DataFrame) -> Scores:
    """The scores of ``predicted`` against ``truth``, both of ``boxes.SCHEMA``.

    Several cameras are concatenated into one sequence, in which a ``person_id`` is the same person
    in all cameras. A frame that only one side has counts as misses or false positives. Raises
    UserError when an id occurs twice in one frame.
    """
    from trackeval.metrics import CLEAR, HOTA, Identity

    check_unique_ids(predicted, "the prediction")
    check_unique_ids(truth, "the ground truth")
    sequence = _sequence(predicted, truth)
    config = {"THRESHOLD": MATCH_IOU, "PRINT_CONFIG": False}
    hota = HOTA().eval_sequence(sequence)
    clear = CLEAR(config).eval_sequence(sequence)
    identity = Identity(config).eval_sequence(sequence)
    return Scores(
        hota=float(np.mean(hota["HOTA"])),
        det_a=float(np.mean(hota["DetA"])),
        ass_a=float(np.mean(hota["AssA"])),
        loc_a=float(np.mean(hota["LocA"])),
        idf1=float(identity["IDF1"]),
        id_precision=float(identity["IDP"]),
        id_recall=float(identity["IDR"]),
        mota=float(clear["MOTA"]),
        motp=float(clear["MOTP"]),
        switches=int(clear["IDSW"]),
        fragments=int(clear["Frag"]),
        false_positives=int(clear["CLR_FP"]),
        misses=int(clear["CLR_FN"]),
        n_truth=len(truth),
        n_predicted=len(predicted),
        truth_ids=truth["person_id"].n_unique(),
        predicted_ids=predicted["person_id"].n_unique(),
    )


def _sequence(predicted: pl.DataFrame, truth: pl.DataFrame) -> Mapping[str, object]:
    """TrackEval's input: for each time step the ids (from 0, without gaps) and all overlaps."""
    moments = pl.concat([predicted.select(_MOMENT), truth.select(_MOMENT)]).unique().sort(_MOMENT)
    truth_ids, truth_boxes = _by_moment(truth, moments)
    predicted_ids, predicted_boxes = _by_moment(predicted, moments)
    return {
        "num_timesteps": len(moments),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(predicted),
        "num_gt_ids": truth["person_id"].n_unique(),
        "num_tracker_ids": predicted["person_id"].n_unique(),
        "gt_ids": truth_ids,
        "tracker_ids": predicted_ids,
        "similarity_scores": [
            _overlaps(a, b) for a, b in zip(truth_boxes, predicted_boxes, strict=True)
        ],
    }


def _by_moment(
    boxes: pl.DataFrame, moments: pl.DataFrame
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]:
    """The ids ``(N,)`` and boxes ``(N, 4)`` of every time step."""
    rows = boxes.sort(KEY).join(moments.with_row_index("moment"), on=_MOMENT, maintain_order="left")
    ends = np.searchsorted(rows["moment"].to_numpy(), np.arange(1, len(moments)))
    ids = np.unique(rows["person_id"].to_numpy(), return_inverse=True)[1]
    corners = rows.select(pl.col(BOX).cast(pl.Float64)).to_numpy()
    return np.split(ids, ends), np.split(corners, ends)


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of ``(N, 4)`` with ``(M, 4)`` xyxy boxes: ``(N, M)``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared))
