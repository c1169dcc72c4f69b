"""Merges the frames of all cameras of a node into batches, in order of time.

The order of recorded frames depends only on their timestamps, not on decoding speed, so the same
input always gives the same batches. Live cameras are polled in turn and never waited for: under
overload each drops the same number of frames.
"""

import threading
from collections import deque
from collections.abc import Iterable

from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.recorded import RecordedFrame
from pipeline.sources.source import Frame

AnyFrame = Frame | RecordedFrame

# Pause after all live cameras were polled and none had a frame.
_LIVE_WAIT_S = 0.02
# A recording is waited for in steps, so that a stalled one can be reported and stopped.
_STEP_S = 0.25


class FrameBatcher:
    """Merges the cameras' frames into batches of at most ``batch`` frames, earliest first."""

    def __init__(self, readers: Iterable[DecodeAhead], batch: int) -> None:
        self._recorded: dict[str, DecodeAhead] = {}
        self._live: deque[DecodeAhead] = deque()
        self._heads: dict[str, AnyFrame] = {}
        self._batch = batch
        #: The most live frames that the next batch may have.
        self.most_live = batch
        #: The recording whose next frame did not come yet.
        self.waiting_for: str | None = None
        for reader in readers:
            self.add(reader)

    def add(self, reader: DecodeAhead) -> None:
        """Add a camera. Recordings can only be added before the first batch."""
        if reader.source.live:
            self._live.append(reader)
        else:
            self._recorded[reader.source.camera_id] = reader

    def remove(self, camera_id: str) -> None:
        """Remove a live camera; does nothing if it has already ended."""
        self._live = deque(r for r in self._live if r.source.camera_id != camera_id)

    def next_batch(self, stop: threading.Event) -> list[AnyFrame] | None:
        """Return the next frames.

        The list is empty when no live camera and not every recording has a frame yet. Returns None
        when every camera has ended or ``stop`` is set.
        """
        if stop.is_set():
            return None
        batch: list[AnyFrame] = []
        limit = self._batch if self._recorded or self._heads else self.most_live
        while len(batch) < limit and (more := self._collect(limit - len(batch))):
            batch += more
        if batch:
            return batch
        if not (self._live or self._recorded or self._heads):
            return None
        if self._live:
            stop.wait(_LIVE_WAIT_S)
        return []

    def ended(self, camera_id: str) -> bool:
        """Whether this camera has no further frames."""
        live = (reader.source.camera_id for reader in self._live)
        return camera_id not in (*self._recorded, *self._heads, *live)

    def _collect(self, limit: int) -> list[AnyFrame]:
        """The earliest recorded frame and one of each live camera, at most ``limit`` frames."""
        frames = self._earliest_recorded()
        for _ in range(min(limit - len(frames), len(self._live))):
            frames += self._poll_live()
        return frames

    def _poll_live(self) -> list[AnyFrame]:
        """The oldest frame of the next live camera in turn, if it has one."""
        reader = self._live.popleft()
        try:
            frame = reader.get(timeout_s=0)
        except TimeoutError:
            self._live.append(reader)
            return []
        if frame is None:
            return []
        self._live.append(reader)
        return [frame]

    def _earliest_recorded(self) -> list[AnyFrame]:
        """The earliest frame of all recordings, unless one of them has to be waited for."""
        try:
            for camera_id in sorted(self._recorded.keys() - self._heads.keys()):
                self._read_next(camera_id)
            if not self._heads:
                return []
            first = min(self._heads.values(), key=lambda f: (f.timestamp, f.camera_id))
            # Read ahead, so that the end of a camera is known together with its last frame.
            self._read_next(first.camera_id)
        except TimeoutError:
            return []
        return [first]

    def _read_next(self, camera_id: str) -> None:
        """Read the next frame of a recording, or drop the recording at its end.

        Raises TimeoutError when there is none yet, and changes nothing.
        """
        if camera_id not in self._recorded:
            self._heads.pop(camera_id, None)
            return
        # Live cameras must not wait for a recording again and again.
        step_s = 0.0 if self._live and self.waiting_for == camera_id else _STEP_S
        self.waiting_for = camera_id
        frame = self._recorded[camera_id].get(step_s)
        self.waiting_for = None
        if frame is None:
            del self._recorded[camera_id]
            self._heads.pop(camera_id, None)
        else:
            self._heads[camera_id] = frame
