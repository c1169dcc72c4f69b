"""Counts a prediction against ground truth part by part: CLEAR, Identity and HOTA.

The figures are those of TrackEval, which holds a whole sequence and a matrix of all ids; here only
what overlaps is held.
"""

import pickle
import tempfile
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from pipeline.errors import writing
from pipeline.evaluation.clear import Clear
from pipeline.evaluation.codes import Codes, grown
from pipeline.evaluation.overlaps import Floats, Ints, Overlaps, Side, overlaps

_EPS = np.finfo(float).eps
#: The overlaps over which HOTA is the mean (Luiten et al. 2020).
ALPHAS = np.arange(0.05, 0.99, 0.05)
#: What a temporary file needs.
ROOM = "Expected room in the temporary folder: set TMPDIR to one with more"


class SequenceTally:
    """The counts of one sequence, to which parts of whole frames are added in order.

    ``threshold`` is the least overlap of a match for CLEAR and Identity.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.clear = Clear(threshold)
        self.truth, self.predicted = _Count(), _Count()
        self._pairs = _Pairs()
        self._parts = _Parts()

    def add(self, truth: Side, predicted: Side, camera: str = "") -> None:
        """Count the next frames of a camera. A negative id is another one in each camera."""
        truth_codes = self.truth.of(truth.ids)
        codes = self.predicted.of(predicted.ids, camera)
        for part in overlaps(truth, truth_codes, predicted, codes):
            self.clear.add(part)
            self._pairs.add(part, self._threshold)
            self._parts.keep(part)

    def close(self) -> None:
        """Remove the temporary file."""
        self._parts.close()

    def identity_matches(self) -> int:
        """The true positives of Identity."""
        return identity_matches(*self._pairs.ids(), self._pairs.enough)

    def hota(self) -> tuple[Ints, Floats, Floats]:
        """For each of `ALPHAS`: matches, the sum of their overlaps, the sum of their association
        accuracy."""
        truth, predicted = self._pairs.ids()
        sizes = self.truth.boxes[truth] + self.predicted.boxes[predicted]
        alignment = self._pairs.agreement / (sizes - self._pairs.agreement)
        matches = np.zeros(len(ALPHAS), np.int64)
        overlap = np.zeros(len(ALPHAS))
        together = np.zeros((len(ALPHAS), len(truth)), np.int32)
        for part in self._parts:
            pairs = self._pairs.of(part)
            chosen = _assigned(part, alignment[pairs] * part.iou)
            for index, alpha in enumerate(ALPHAS):
                near = chosen[part.iou[chosen] >= alpha - _EPS]
                matches[index] += len(near)
                overlap[index] += part.iou[near].sum()
                np.add.at(together[index], pairs[near], 1)
        accuracy = np.zeros(len(ALPHAS))
        for index, count in enumerate(together):
            accuracy[index] = (count * (count / np.maximum(1, sizes - count))).sum()
        return matches, overlap, accuracy


def identity_matches(truth: Ints, predicted: Ints, boxes: Ints) -> int:
    """How many boxes agree when each true id is given at most one predicted id, at best
    (Ristani et al. 2016).

    ``boxes`` ``(P,)`` are the numbers of frames in which two ids overlap enough.
    """
    some = boxes > 0
    if not some.any():
        return 0
    rows = np.unique(truth[some], return_inverse=True)[1]
    columns = np.unique(predicted[some], return_inverse=True)[1]
    people = int(rows.max()) + 1
    # Every true id may also stay alone. Entries of a sparse matrix are one more than the counts.
    alone = coo_array((np.ones(people), (np.arange(people), np.arange(people))))
    pairs = coo_array((boxes[some] + 1.0, (rows, columns)))
    full = hstack([pairs, alone]).tocsr()
    matched = min_weight_full_bipartite_matching(full, maximize=True)
    return int(full[matched].sum()) - people


def _assigned(part: Overlaps, worth: Floats) -> Ints:
    """The pairs that are matched, of those that overlap, with the greatest sum of ``worth``."""
    matched, choices = part.solved(np.ones(len(worth), bool))
    for frame in choices.tolist():
        best = np.zeros(part.shapes[frame], bool)
        best[linear_sum_assignment(-part.matrix(frame, worth))] = True
        span = part.span(frame)
        matched[span] = best[part.row[span], part.column[span]]
    return np.flatnonzero(matched)


class _Count:
    """The ids of one side with the number of their boxes."""

    def __init__(self) -> None:
        self._of_site = Codes()
        self._of_camera: dict[str, Codes] = defaultdict(Codes)
        self._places: dict[str, Ints] = {}
        self.boxes: Ints = np.zeros(0, np.int64)
        self._known = 0

    @property
    def ids(self) -> int:
        """How many ids there are."""
        return self._known

    @property
    def total(self) -> int:
        """How many boxes there are."""
        return int(self.boxes.sum())

    def of(self, ids: Ints, camera: str = "") -> Ints:
        """The numbers of ``ids`` ``(N,)``, which are counted."""
        own = ids < 0
        numbers = np.zeros(len(ids), np.int64)
        numbers[~own] = self._numbered("", self._of_site, ids[~own])
        numbers[own] = self._numbered(f"/{camera}", self._of_camera[camera], ids[own])
        self.boxes = grown(self.boxes, self._known)
        np.add.at(self.boxes, numbers, 1)
        return numbers

    def _numbered(self, kind: str, codes: Codes, ids: Ints) -> Ints:
        """Numbers of all kinds, from the numbers of one kind."""
        places = self._places.get(kind, np.zeros(0, np.int64))
        found = codes.of(ids)
        new = len(codes) - len(places)
        places = np.concatenate([places, np.arange(new) + self._known])
        self._places[kind], self._known = places, self._known + new
        return places[found]


class _Pairs:
    """The pairs of ids that overlap somewhere."""

    def __init__(self) -> None:
        self._codes = Codes()
        self._truth: Ints = np.zeros(0, np.int64)
        self._predicted: Ints = np.zeros(0, np.int64)
        # How well the boxes agree that are not shared with others, and in how many frames enough.
        self.agreement: Floats = np.zeros(0)
        self.enough: Ints = np.zeros(0, np.int64)

    def ids(self) -> tuple[Ints, Ints]:
        """The numbers of the true and the predicted id of each pair."""
        return self._truth, self._predicted

    def of(self, part: Overlaps) -> Ints:
        """The numbers of the pairs of ids of the pairs of boxes."""
        return self._codes.of(part.truth << 32 | part.predicted)

    def add(self, part: Overlaps, threshold: float) -> None:
        """Add the next frames."""
        pairs = self.of(part)
        count = len(self._codes)
        self._truth, self._predicted = grown(self._truth, count), grown(self._predicted, count)
        self.agreement, self.enough = grown(self.agreement, count), grown(self.enough, count)
        self._truth[pairs], self._predicted[pairs] = part.truth, part.predicted
        np.add.at(self.agreement, pairs, _agreement(part))
        np.add.at(self.enough, pairs, part.iou >= threshold)


def _agreement(part: Overlaps) -> Floats:
    """The overlap of each pair as a share of all overlaps of its two boxes."""
    share = (part.iou > _EPS).astype(float)
    for frame in part.solved(np.ones(len(share), bool))[1].tolist():
        iou = part.matrix(frame, part.iou)
        whole = iou.sum(0)[None, :] + iou.sum(1)[:, None] - iou
        span = part.span(frame)
        place = part.row[span], part.column[span]
        share[span] = np.where(whole[place] > _EPS, iou[place] / whole[place], 0)
    return share


class _Parts:
    """Parts of a sequence in a temporary file, in order."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        self._count = 0

    def keep(self, part: Overlaps) -> None:
        """Add a part."""
        with writing("to a temporary file", ROOM):
            pickle.dump(part, self._file, pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Overlaps]:
        with writing("to a temporary file", ROOM):
            self._file.seek(0)
        for _ in range(self._count):
            yield pickle.load(self._file)
