"""The boxes of the last seconds by camera and frame, for pictures of these frames."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bus.messages import ObservationsMessage, unpack


@dataclass(frozen=True, slots=True)
class SeenBox:
    """A tracked person in a frame: xyxy pixels, and metres on the ground where calibrated."""

    track_id: int
    box: tuple[float, float, float, float]
    confidence: float
    ground: tuple[float, float] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The arrays of a message, see `ObservationsMessage`."""

    timestamps: NDArray[np.float64]
    track_ids: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    ground: NDArray[np.float64] | None

    def at(self, timestamp: float) -> list[SeenBox]:
        return [self._box(row) for row in np.flatnonzero(self.timestamps == timestamp).tolist()]

    def _box(self, row: int) -> SeenBox:
        x1, y1, x2, y2 = self.boxes[row].tolist()
        point = None
        if self.ground is not None and np.isfinite(self.ground[row]).all():
            x, y = self.ground[row].tolist()
            point = x, y
        score = round(float(self.scores[row]), 3)
        return SeenBox(int(self.track_ids[row]), (x1, y1, x2, y2), score, point)


class RecentFrames:
    """The observations of each camera in its last ``keep_s`` seconds of event time."""

    def __init__(self, keep_s: float = 10.0) -> None:
        self._keep_s = keep_s
        self._rows: dict[str, deque[_Rows]] = {}
        self._observed: dict[str, float] = {}

    def add(self, message: ObservationsMessage) -> None:
        """Add observations of a camera."""
        timestamps = unpack(message.timestamp)
        if not timestamps.size:
            return
        kept = self._rows.setdefault(message.camera_id, deque())
        kept.append(
            _Rows(
                timestamps,
                unpack(message.track_id),
                unpack(message.boxes),
                unpack(message.scores),
                None if message.ground is None else unpack(message.ground),
            )
        )
        self.advance(message.camera_id, float(timestamps.max()))
        oldest = self._observed[message.camera_id] - self._keep_s
        while kept[0].timestamps.max() < oldest:
            kept.popleft()

    def advance(self, camera_id: str, timestamp: float) -> None:
        """Everything of this camera up to ``timestamp``, seconds UTC, has been added."""
        self._observed[camera_id] = max(self.observed(camera_id), timestamp)

    def observed(self, camera_id: str) -> float:
        """The time up to which everything of this camera has been added; -inf before the first."""
        return self._observed.get(camera_id, -math.inf)

    def at(self, camera_id: str, timestamp: float) -> list[SeenBox]:
        """The boxes of the frame with exactly this timestamp, seconds UTC."""
        return [box for rows in self._rows.get(camera_id, ()) for box in rows.at(timestamp)]

    def drop(self, camera_id: str) -> None:
        """Drop the observations of a camera so far."""
        self._rows.pop(camera_id, None)
