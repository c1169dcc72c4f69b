"""Moments: what one camera showed in one frame, with the global ids as they are known then."""

import math
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.pictures.render import draw_people
from pipeline.pictures.supervised import as_supervision
from pipeline.sources.source import Frame, RecordedFrame
from trackers.detections import Detections

if TYPE_CHECKING:
    import supervision

    from trackers.association.decision import Decision

# Frames that wait for the program: few, because a picture has megabytes.
_WAITING = 8
_POLL_S = 0.05
# The identity of an older track is no longer looked up.
_TRACKS = 10_000
_Key = tuple[str, int]
_Seen = tuple[Frame | RecordedFrame, Detections]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What one camera showed in one frame: N people.

    ``timestamp`` is seconds UTC. ``image`` is ``(H, W, 3)`` uint8 BGR, None with recorded
    detections. ``boxes`` is ``(N, 4)`` float32 xyxy in pixels, ``scores`` ``(N,)`` float32,
    ``track_ids`` ``(N,)`` int64. ``global_ids`` has a number for each person, None while it is not
    known; ``confidences`` is ``(N,)`` float32, NaN there. What is decided later is in the run
    directory only.
    """

    camera_id: str
    frame_index: int
    timestamp: float
    image: NDArray[np.uint8] | None
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    track_ids: NDArray[np.int64]
    global_ids: tuple[int | None, ...]
    confidences: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)

    def detections(self) -> "supervision.Detections":
        """The people as of `fusetrack.Run.detections`."""
        return as_supervision(
            self.boxes, self.scores, self.track_ids, self.global_ids, self.confidences
        )

    def annotated(self) -> NDArray[np.uint8]:
        """A copy of ``image`` with a box and a label for each person, in the person's colour.

        Raises ValueError when there is no image.
        """
        if self.image is None:
            raise ValueError(f"camera {self.camera_id} has recorded detections and no images")
        image = self.image.copy()
        x1, y1, x2, y2 = self.boxes.T.tolist() if len(self) else ([], [], [], [])
        draw_people(
            image, list(zip(self.global_ids, zip(x1, y1, x2, y2, strict=True), strict=True))
        )
        return image

    def _repr_jpeg_(self) -> bytes | None:
        """What a notebook shows of it."""
        return None if self.image is None else bytes(cv2.imencode(".jpg", self.annotated())[1])


class MomentQueue:
    """Carries frames from a node to a program, which the node waits for.

    Node and associator call it from their threads; the program iterates over it.
    """

    def __init__(self) -> None:
        self._seen: queue.Queue[_Seen | None] = queue.Queue(_WAITING)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._decisions: dict[_Key, list[Decision]] = {}

    def on_tracked(self, frame: Frame | RecordedFrame, tracked: Detections) -> None:
        """Add a frame and its tracked people; waits while the program is behind."""
        self._put((frame, tracked))

    def on_decision(self, decision: "Decision") -> None:
        """Note whose a track is."""
        with self._lock:
            parts = self._decisions.setdefault(decision.key, [])
            parts[:] = [known for known in parts if known.since != decision.since]
            parts.append(decision)
            parts.sort(key=_since)
            if len(self._decisions) > _TRACKS:
                del self._decisions[next(iter(self._decisions))]

    def end(self) -> None:
        """Add the end: no frame follows."""
        self._put(None)

    def close(self) -> None:
        """Wait for the program no longer, and drop what comes."""
        self._closed.set()

    def __iter__(self) -> Iterator[Moment]:
        while (seen := self._seen.get()) is not None:
            yield self._moment(*seen)

    def _put(self, seen: _Seen | None) -> None:
        while not self._closed.is_set():
            try:
                return self._seen.put(seen, timeout=_POLL_S)
            except queue.Full:
                continue

    def _moment(self, frame: Frame | RecordedFrame, tracked: Detections) -> Moment:
        ids = np.zeros(0, np.int64) if tracked.track_ids is None else tracked.track_ids
        with self._lock:
            known = [self._known(frame.camera_id, i, frame.timestamp) for i in ids.tolist()]
        shown = _once_each(known, tracked.scores)
        return Moment(
            frame.camera_id,
            frame.index,
            frame.timestamp,
            frame.image if isinstance(frame, Frame) else None,
            tracked.boxes,
            tracked.scores,
            ids,
            tuple(None if decision is None else decision.global_id for decision in shown),
            np.array([np.nan if d is None else d.confidence for d in shown], np.float32),
        )

    def _known(self, camera_id: str, track_id: int, timestamp: float) -> "Decision | None":
        parts = self._decisions.get((camera_id, track_id), [])
        return next((part for part in reversed(parts) if _since(part) <= timestamp), None)


def _since(decision: "Decision") -> float:
    return -math.inf if decision.since is None else decision.since


def _once_each(
    known: "list[Decision | None]", scores: NDArray[np.float32]
) -> "list[Decision | None]":
    """``known``, each person only at the box with the highest score."""
    best: dict[int, int] = {}
    for row, decision in enumerate(known):
        if decision is not None:
            other = best.setdefault(decision.global_id, row)
            if scores[row] > scores[other]:
                best[decision.global_id] = row
    return [
        decision if decision is not None and best[decision.global_id] == row else None
        for row, decision in enumerate(known)
    ]
