"""HOTA, Identity and CLEAR scores of a prediction, as TrackEval computes them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from pipeline.evaluation.boxes import check_unique_ids
from pipeline.evaluation.overlaps import Side
from pipeline.evaluation.tally import SequenceTally

#: Minimum intersection over union of a match for CLEAR and Identity.
MATCH_IOU = 0.5


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


class SequenceScorer:
    """Scores a sequence whose parts are added in order; only what overlaps is held.

    Several cameras are concatenated into one sequence, in which a ``person_id`` is the same person
    in all cameras; a negative one is another person in each. Use as a context manager: it has a
    temporary file.
    """

    def __init__(self) -> None:
        self._tally = SequenceTally(MATCH_IOU)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._tally.close()

    def add(self, predicted: pl.DataFrame, truth: pl.DataFrame, camera_id: str = "") -> None:
        """Add the next frames of a camera, both of ``boxes.SCHEMA``.

        Raises UserError when an id occurs twice in one frame.
        """
        check_unique_ids(predicted, "the prediction")
        check_unique_ids(truth, "the ground truth")
        self._tally.add(Side.of(truth), Side.of(predicted), camera_id)

    def scores(self) -> Scores:
        """The scores of all that was added."""
        tally = self._tally
        n_truth, n_predicted = tally.truth.total, tally.predicted.total
        both = bool(n_truth and n_predicted)
        hota = _hota(tally) if both else dict.fromkeys(("hota", "det_a", "ass_a"), 0.0)
        return Scores(
            **{"loc_a": 1.0, **hota},
            **_identity(tally.identity_matches(), n_truth, n_predicted),
            mota=_mota(tally) if both else 0.0,
            motp=tally.clear.overlap / max(1, tally.clear.matches),
            switches=tally.clear.switches,
            fragments=tally.clear.fragments,
            false_positives=n_predicted - tally.clear.matches,
            misses=n_truth - tally.clear.matches,
            n_truth=n_truth,
            n_predicted=n_predicted,
            truth_ids=tally.truth.ids,
            predicted_ids=tally.predicted.ids,
        )


def score(predicted: pl.DataFrame, truth: pl.DataFrame) -> Scores:
    """The scores of ``predicted`` against ``truth``, both of ``boxes.SCHEMA``.

    A frame that only one side has counts as misses or false positives. Raises UserError when an id
    occurs twice in one frame.
    """
    with SequenceScorer() as scorer:
        for name in sorted({*predicted["camera_id"], *truth["camera_id"]}):
            here = pl.col("camera_id") == name
            scorer.add(predicted.filter(here), truth.filter(here), name)
        return scorer.scores()


def _hota(tally: SequenceTally) -> dict[str, float]:
    matches, overlap, accuracy = tally.hota()
    boxes = tally.truth.total + tally.predicted.total
    detection = matches / np.maximum(1, boxes - matches)
    association = accuracy / np.maximum(1, matches)
    location = np.maximum(1e-10, overlap) / np.maximum(1e-10, matches)
    return {
        "hota": float(np.mean(np.sqrt(detection * association))),
        "det_a": float(np.mean(detection)),
        "ass_a": float(np.mean(association)),
        "loc_a": float(np.mean(location)),
    }


def _identity(matches: int, n_truth: int, n_predicted: int) -> dict[str, float]:
    return {
        "idf1": 2 * matches / max(1, n_truth + n_predicted),
        "id_precision": matches / max(1, n_predicted),
        "id_recall": matches / max(1, n_truth),
    }


def _mota(tally: SequenceTally) -> float:
    clear, n_truth = tally.clear, tally.truth.total
    false_positives = tally.predicted.total - clear.matches
    return (clear.matches - false_positives - clear.switches) / max(1, n_truth)
