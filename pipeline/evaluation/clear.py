"""CLEAR MOT (Bernardin and Stiefelhagen 2008), counted part by part as TrackEval does."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.codes import grown
from pipeline.evaluation.overlaps import Ints, Mask, Overlaps

_EPS = np.finfo(float).eps
# The weight of a match that continues the last one, in overlaps.
_CONTINUED = 1000


class Clear:
    """Counts matches of at least ``threshold`` overlap, frame by frame.

    A match of the frame before is kept while it overlaps enough; the others maximise the overlap.
    """

    def __init__(self, threshold: float) -> None:
        self._least = threshold - _EPS
        self.matches = self.switches = 0
        self.overlap = 0.0
        # By number of a true id: its last match and the frame of it; -1 without one.
        self._last: Ints = np.zeros(0, np.int64)
        self._last_frame: Ints = np.zeros(0, np.int64)
        self._frames = 0
        self._runs = 0

    @property
    def fragments(self) -> int:
        """How often the true tracks were found again."""
        return self._runs - int((self._last >= 0).sum())

    def add(self, part: Overlaps) -> None:
        """Count the next frames."""
        most = int(part.truth.max(initial=-1)) + 1
        self._last = grown(self._last, most, fill=-1)
        self._last_frame = grown(self._last_frame, most, fill=-2)
        chosen = self._chosen(part)
        self.matches += len(chosen)
        self.overlap += float(part.iou[chosen].sum())
        self._follow(part.truth[chosen], part.predicted[chosen], part.frame[chosen] + self._frames)
        self._frames += len(part.shapes)

    def _chosen(self, part: Overlaps) -> Ints:
        enough = part.iou >= self._least
        matched, choices = part.solved(enough)
        for frame in choices.tolist():
            span = part.span(frame)
            continued = self._continued(part, frame, matched) & enough[span]
            worth = np.zeros(len(enough))
            worth[span] = np.where(enough[span], _CONTINUED * continued + part.iou[span], 0)
            pairs = part.matrix(frame, worth)
            best = np.zeros(pairs.shape, bool)
            best[linear_sum_assignment(-pairs)] = True
            matched[span] = best[part.row[span], part.column[span]] & enough[span]
        return np.flatnonzero(matched)

    def _continued(self, part: Overlaps, frame: int, matched: Mask) -> Mask:
        """Which pairs of a frame were matched in the frame before."""
        truth, predicted = part.truth[part.span(frame)], part.predicted[part.span(frame)]
        if not frame:
            before = self._last_frame[truth] == self._frames - 1
            return np.asarray(before & (self._last[truth] == predicted))
        last = part.span(frame - 1)
        pairs = zip(
            part.truth[last][matched[last]], part.predicted[last][matched[last]], strict=True
        )
        known = {(int(a), int(b)) for a, b in pairs}
        return np.array([(int(a), int(b)) in known for a, b in zip(truth, predicted, strict=True)])

    def _follow(self, truth: Ints, predicted: Ints, frame: Ints) -> None:
        """Count switches and fragments of the matches ``(N,)``, which are ordered by frame."""
        order = np.argsort(truth, kind="stable")
        truth, predicted, frame = truth[order], predicted[order], frame[order]
        first = np.diff(truth, prepend=-1) != 0
        before = np.where(first, self._last[truth], np.roll(predicted, 1))
        frame_before = np.where(first, self._last_frame[truth], np.roll(frame, 1))
        self.switches += int(((before >= 0) & (before != predicted)).sum())
        self._runs += int((frame_before != frame - 1).sum())
        # Of several the last remains.
        self._last[truth], self._last_frame[truth] = predicted, frame
