"""The order of work in a node: frames of all cameras, by time, in batches.

For recordings the order depends only on the timestamps, never on how fast a file decodes, so that
the same input gives the same batches. Live cameras are never waited for, and take turns: when there
is too much to do, each loses as many frames as the others.
"""

import threading
from collections import deque
from collections.abc import Iterable

from pipeline.frame import Frame
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.recorded import RecordedFrame

AnyFrame = Frame | RecordedFrame

# How long to wait for any live camera before it is told that none has a frame.
_LIVE_WAIT_S = 0.02


class Schedule:
    """Merges the cameras' frames into batches of at most ``batch`` frames, earliest first."""

    def __init__(self, readers: Iterable[DecodeAhead], batch: int) -> None:
        self._recorded: dict[str, DecodeAhead] = {}
        self._live: deque[DecodeAhead] = deque()
        self._heads: dict[str, AnyFrame] = {}
        self._batch = batch
        for reader in readers:
            self.add(reader)

    def add(self, reader: DecodeAhead) -> None:
        """One camera more; a recording only before the first batch."""
        if reader.source.live:
            self._live.append(reader)
        else:
            self._recorded[reader.source.camera_id] = reader

    def remove(self, camera_id: str) -> None:
        """A live camera less, if it has not ended."""
        self._live = deque(r for r in self._live if r.source.camera_id != camera_id)

    def next_batch(self, stop: threading.Event) -> list[AnyFrame] | None:
        """The next frames; none when the live cameras, the only ones left, have none now.

        None when every camera has ended or ``stop`` is set.
        """
        if stop.is_set():
            return None
        batch: list[AnyFrame] = []
        while len(batch) < self._batch and (more := self._round(self._batch - len(batch))):
            batch += more
        if batch:
            return batch
        if not self._live:
            return None
        stop.wait(_LIVE_WAIT_S)
        return []

    def ended(self, camera_id: str) -> bool:
        """Whether no further frame of this camera will come."""
        live = (reader.source.camera_id for reader in self._live)
        return camera_id not in (*self._recorded, *self._heads, *live)

    def _round(self, room: int) -> list[AnyFrame]:
        """The earliest recorded frame and one of each live camera, as far as there is room."""
        frames = self._earliest()
        for _ in range(min(room - len(frames), len(self._live))):
            frames += self._turn()
        return frames

    def _turn(self) -> list[AnyFrame]:
        """The oldest frame of the live camera whose turn it is, if it has one."""
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

    def _earliest(self) -> list[AnyFrame]:
        for camera_id in sorted(self._recorded.keys() - self._heads.keys()):
            self._go_on(camera_id)
        if not self._heads:
            return []
        first = min(self._heads.values(), key=lambda f: (f.timestamp, f.camera_id))
        del self._heads[first.camera_id]
        # With a camera's last frame it is known that it was the last.
        self._go_on(first.camera_id)
        return [first]

    def _go_on(self, camera_id: str) -> None:
        """Read the next frame of a recording, if it has one."""
        frame = self._recorded[camera_id].get()
        if frame is None:
            del self._recorded[camera_id]
        else:
            self._heads[camera_id] = frame
