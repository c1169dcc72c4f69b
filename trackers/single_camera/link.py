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
_MIN_RATIO = 1.5
# Detections with a lower score continue tracks but do not start them.
_STRONG_SCORE = 0.5
# Cost of a cosine of 0 between two embeddings, as a squared distance.
_APPEARANCE_COST = 0.3
_FAR = 1e6


@dataclass(slots=True)
class _OpenTrack:
    track_id: int
    timestamp: float
    box: NDArray[np.float64]
    speed: NDArray[np.float64]
    embedding: NDArray[np.float32] | None


class LinkTracker:
    """The tracker of one camera. A track is reported from its first frame on.

    A lost track keeps its id for ``buffer_s`` seconds.
    """

    needs_image = False

    def __init__(self, *, buffer_s: float) -> None:
        if not buffer_s > 0:
            raise ValueError(f"buffer_s must be more than 0 seconds, got {buffer_s}")
        self._buffer_s = buffer_s
        self._tracks: list[_OpenTrack] = []
        self._next_id = 1
        self._last_timestamp: float | None = None

    def keep_for(self, seconds: float) -> None:
        """Keep lost tracks for ``seconds`` from now on."""
        self._buffer_s = seconds

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
        self._tracks = [k for k in self._tracks if timestamp - k.timestamp <= self._buffer_s]
        boxes = _places(detections.boxes.astype(np.float64))
        linked = self._matches(boxes, detections.embeddings, timestamp)
        strong = detections.scores >= _STRONG_SCORE
        rows = [row for row in range(len(boxes)) if strong[row] or row in linked]
        now = [
            self._continued(linked.get(row), boxes[row], detections, row, timestamp) for row in rows
        ]
        matched = {id(track) for track in linked.values()}
        self._tracks = [track for track in self._tracks if id(track) not in matched] + now
        ids = np.array([track.track_id for track in now], np.int64)
        order = np.argsort(ids)
        return replace(detections.take(np.array(rows, np.intp)[order]), track_ids=ids[order])

    def _matches(
        self,
        boxes: NDArray[np.float64],
        embeddings: NDArray[np.float32] | None,
        timestamp: float,
    ) -> dict[int, _OpenTrack]:
        """The track of each row that has an unambiguous match."""
        if not len(boxes) or not self._tracks:
            return {}
        costs = self._costs(boxes, embeddings, timestamp)
        rows, columns = linear_sum_assignment(costs)
        return {
            int(row): self._tracks[column]
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
        gaps = timestamp - np.array([track.timestamp for track in self._tracks])
        speeds = np.array([track.speed for track in self._tracks])
        predicted = np.array([track.box for track in self._tracks]) + speeds * gaps[:, None]
        heights = (boxes[:, 1] - boxes[:, 2])[:, None]
        costs = np.square((boxes[:, None] - predicted[None]) / heights[..., None]).sum(axis=2)
        reach = _REACH + _REACH_PER_S * gaps
        beyond = costs > np.square(reach)[None]
        for column, track in enumerate(self._tracks):
            if embeddings is not None and track.embedding is not None:
                costs[:, column] += _APPEARANCE_COST * (1 - embeddings @ track.embedding)
        return np.where(beyond, _FAR, costs)

    def _continued(
        self,
        before: _OpenTrack | None,
        box: NDArray[np.float64],
        detections: Detections,
        row: int,
        timestamp: float,
    ) -> _OpenTrack:
        embedding = None if detections.embeddings is None else detections.embeddings[row]
        if before is None:
            self._next_id += 1
            return _OpenTrack(self._next_id - 1, timestamp, box, np.zeros(3), embedding)
        speed = (box - before.box) / (timestamp - before.timestamp)
        return _OpenTrack(before.track_id, timestamp, box, (before.speed + speed) / 2, embedding)


def _places(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Horizontal centre, bottom and top of ``(N, 4)`` boxes: ``(N, 3)`` pixels."""
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], boxes[:, 1]])


def _is_clear(costs: NDArray[np.float64], row: int, column: int) -> bool:
    others = np.concatenate([np.delete(costs[row], column), np.delete(costs[:, column], row)])
    return bool(others.min(initial=_FAR) > _MIN_RATIO * costs[row, column])
