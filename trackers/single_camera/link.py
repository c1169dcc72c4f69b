"""A single-camera tracker for low frame rates that links only unambiguous detections.

At half a second between frames the boxes of a person hardly overlap, so trackers based on overlap
fail. This one compares box positions in units of box height, and appearance where available. In an
ambiguous case it starts new tracks: a track that ends too early can be joined later by the
association, a track that continues on another person cannot be repaired.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trackers.detections import Detections

# Maximum displacement of a person in box heights: a constant, plus an amount per second.
_REACH, _REACH_PER_S = 0.25, 1.0
# Minimum ratio of the second smallest to the smallest squared distance of a clear match.
_CLEARLY = 1.5
# Detections with a lower score continue tracks but do not start them.
_STRONG_SCORE = 0.5
# Cost of a cosine of 0 between two embeddings, as a squared distance.
_UNLIKE = 0.3
_FAR = 1e6


@dataclass(slots=True)
class _Link:
    track_id: int
    timestamp: float
    box: NDArray[np.float64]
    speed: NDArray[np.float64]
    embedding: NDArray[np.float32] | None


class LinkTracker:
    """The tracker of one camera. A track is reported from its first frame on.

    A lost track keeps its id for ``buffer_s`` seconds.
    """

    def __init__(self, *, buffer_s: float) -> None:
        if not buffer_s > 0:
            raise ValueError(f"buffer_s must be more than 0 seconds, got {buffer_s}")
        self._buffer_s = buffer_s
        self._links: list[_Link] = []
        self._next_id = 1
        self._last_timestamp: float | None = None

    def update(
        self, detections: Detections, image: NDArray[np.uint8] | None, timestamp: float
    ) -> Detections:
        """The detections of the frame that belong to a track, with ``track_ids`` filled, by id.

        ``image`` is ignored. Raises ValueError when the timestamp (seconds) does not increase.
        """
        last = self._last_timestamp
        if last is not None and not timestamp > last:
            raise ValueError(f"timestamps of a camera must increase, got {timestamp} after {last}")
        self._last_timestamp = timestamp
        self._links = [k for k in self._links if timestamp - k.timestamp <= self._buffer_s]
        boxes = _places(detections.boxes.astype(np.float64))
        linked = self._linked(boxes, detections.embeddings, timestamp)
        strong = detections.scores >= _STRONG_SCORE
        rows = [row for row in range(len(boxes)) if strong[row] or row in linked]
        now = [self._link(linked.get(row), boxes[row], detections, row, timestamp) for row in rows]
        taken = {id(link) for link in linked.values()}
        self._links = [link for link in self._links if id(link) not in taken] + now
        ids = np.array([link.track_id for link in now], np.int64)
        order = np.argsort(ids)
        return replace(detections.take(np.array(rows, np.intp)[order]), track_ids=ids[order])

    def _linked(
        self,
        boxes: NDArray[np.float64],
        embeddings: NDArray[np.float32] | None,
        timestamp: float,
    ) -> dict[int, _Link]:
        """The track of each row that has an unambiguous match."""
        if not len(boxes) or not self._links:
            return {}
        costs = self._costs(boxes, embeddings, timestamp)
        rows, columns = linear_sum_assignment(costs)
        return {
            int(row): self._links[column]
            for row, column in zip(rows, columns, strict=True)
            if costs[row, column] < _FAR and _is_clear(costs, row, column)
        }

    def _costs(
        self,
        boxes: NDArray[np.float64],
        embeddings: NDArray[np.float32] | None,
        timestamp: float,
    ) -> NDArray[np.float64]:
        """Squared distances ``(N, M)`` in box heights, ``_FAR`` beyond reach."""
        gaps = timestamp - np.array([link.timestamp for link in self._links])
        speeds = np.array([link.speed for link in self._links])
        predicted = np.array([link.box for link in self._links]) + speeds * gaps[:, None]
        heights = (boxes[:, 1] - boxes[:, 2])[:, None]
        costs = np.square((boxes[:, None] - predicted[None]) / heights[..., None]).sum(axis=2)
        reach = _REACH + _REACH_PER_S * gaps
        beyond = costs > np.square(reach)[None]
        for column, link in enumerate(self._links):
            if embeddings is not None and link.embedding is not None:
                costs[:, column] += _UNLIKE * (1 - embeddings @ link.embedding)
        return np.where(beyond, _FAR, costs)

    def _link(
        self,
        before: _Link | None,
        box: NDArray[np.float64],
        detections: Detections,
        row: int,
        timestamp: float,
    ) -> _Link:
        embedding = None if detections.embeddings is None else detections.embeddings[row]
        if before is None:
            self._next_id += 1
            return _Link(self._next_id - 1, timestamp, box, np.zeros(3), embedding)
        speed = (box - before.box) / (timestamp - before.timestamp)
        return _Link(before.track_id, timestamp, box, (before.speed + speed) / 2, embedding)


def _places(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Horizontal centre, bottom and top of ``(N, 4)`` boxes: ``(N, 3)`` pixels."""
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], boxes[:, 1]])


def _is_clear(costs: NDArray[np.float64], row: int, column: int) -> bool:
    others = np.concatenate([np.delete(costs[row], column), np.delete(costs[:, column], row)])
    return bool(others.min(initial=_FAR) > _CLEARLY * costs[row, column])
