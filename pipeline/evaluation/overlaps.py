"""The overlapping boxes of a prediction and the ground truth, in a part of whole frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluation.boxes import BOX

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Pairs of boxes that are compared at once: some 50 MB.
_MOST_PAIRS = 500_000


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Those frames in which both sides have boxes, and the ``(P,)`` pairs of boxes that overlap.

    ``shapes`` ``(F, 2)`` are the numbers of true and predicted boxes of the frames. Each pair has
    the index of its frame, its place among the boxes of the frame, true and predicted, in order of
    their ids, the number of its two ids (`Codes`), and its intersection over union. Pairs are
    ordered by frame, true and predicted box.
    """

    shapes: Ints
    frame: Ints
    row: Ints
    column: Ints
    truth: Ints
    predicted: Ints
    iou: Floats

    def solved(self, pairs: Mask) -> tuple[Mask, Ints]:
        """Of the ``pairs`` ``(P,)`` those that can only be matched to each other, as a mask, and
        the frames where there is a choice; such a frame has none of the first."""
        rivals = np.zeros(len(self.shapes), bool)
        for side in (self.row, self.column):
            here = np.flatnonzero(pairs)
            key = self.frame[here] * (1 + int(side.max(initial=0))) + side[here]
            _, place, count = np.unique(key, return_inverse=True, return_counts=True)
            rivals[self.frame[here[count[place] > 1]]] = True
        return pairs & ~rivals[self.frame], np.flatnonzero(rivals)

    def span(self, frame: int) -> slice:
        """The pairs of a frame."""
        first, last = np.searchsorted(self.frame, (frame, frame + 1))
        return slice(int(first), int(last))

    def matrix(self, frame: int, values: Floats) -> Floats:
        """The ``values`` of the pairs of a frame by true and predicted box, 0 elsewhere."""
        full = np.zeros(self.shapes[frame])
        span = self.span(frame)
        full[self.row[span], self.column[span]] = values[span]
        return full


@dataclass(frozen=True, slots=True)
class Side:
    """The boxes of one side, by frame and id: frames ``(N,)``, ids ``(N,)``, xyxy ``(N, 4)``."""

    frame: Ints
    ids: Ints
    boxes: Floats

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Side":
        """The boxes of one camera, of ``boxes.SCHEMA``."""
        rows = rows.sort("frame_index", "person_id")
        boxes = rows.select(pl.col(BOX).cast(pl.Float64)).to_numpy()
        return cls(rows["frame_index"].to_numpy(), rows["person_id"].to_numpy(), boxes)


def overlaps(truth: Side, truth_codes: Ints, predicted: Side, codes: Ints) -> Iterator[Overlaps]:
    """The overlaps of two sides whose ids have the numbers ``truth_codes`` and ``codes``, by parts
    of bounded size."""
    frames = np.intersect1d(truth.frame, predicted.frame)
    starts = np.stack([np.searchsorted(side.frame, frames) for side in (truth, predicted)], 1)
    ends = [np.searchsorted(side.frame, frames, "right") for side in (truth, predicted)]
    shapes = np.stack(ends, 1) - starts
    reached = shapes.prod(axis=1).cumsum()
    first = 0
    while first < len(frames):
        before = reached[first - 1] if first else 0
        last = max(int(np.searchsorted(reached, before + _MOST_PAIRS, "right")), first + 1)
        part = slice(first, last)
        yield _pairs(shapes[part], starts[part], truth, truth_codes, predicted, codes)
        first = last


def _pairs(
    shapes: Ints, starts: Ints, truth: Side, truth_codes: Ints, predicted: Side, codes: Ints
) -> Overlaps:
    sizes = shapes.prod(axis=1)
    frame = np.repeat(np.arange(len(shapes)), sizes)
    within = np.arange(len(frame)) - np.repeat(sizes.cumsum() - sizes, sizes)
    row, column = np.divmod(within, shapes[frame, 1])
    a, b = starts[frame, 0] + row, starts[frame, 1] + column
    iou = _iou(truth.boxes[a], predicted.boxes[b])
    some = iou > 0
    return Overlaps(
        shapes=shapes,
        frame=frame[some],
        row=row[some],
        column=column[some],
        truth=truth_codes[a[some]],
        predicted=codes[b[some]],
        iou=iou[some],
    )


def _iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of ``(P, 4)`` xyxy boxes with as many others: ``(P,)``."""
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).clip(min=0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return np.asarray(shared / (areas[0] + areas[1] - shared))
