"""The order of work in a node: frames of all cameras, by time, in batches.

For recordings the order depends only on the timestamps, never on how fast a file decodes, so that
the same input gives the same batches and the same result. Live cameras are never waited for.
"""

import threading
from collections.abc import Iterable

from pipeline.frame import Frame
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.recorded import RecordedFrame

AnyFrame = Frame | RecordedFrame

# How long to wait for any live camera before looking at the stop signal again.
_LIVE_WAIT_S = 0.05


class Schedule:
    """Merges the cameras' frames into batches of at most ``batch`` frames, earliest first."""

    def __init__(self, readers: Iterable[DecodeAhead], batch: int) -> None:
        self._readers = {reader.source.camera_id: reader for reader in readers}
        self._heads: dict[str, AnyFrame] = {}
        self._batch = batch

    def next_batch(self, stop: threading.Event) -> list[AnyFrame]:
        """The next frames; an empty list when every camera has ended or ``stop`` is set."""
        while not stop.is_set():
            batch = self._collect()
            if batch or not self._readers:
                return batch
            stop.wait(_LIVE_WAIT_S)
        return []

    def ended(self, camera_id: str) -> bool:
        """Whether no further frame of this camera will come."""
        return camera_id not in self._readers and camera_id not in self._heads

    def _collect(self) -> list[AnyFrame]:
        batch: list[AnyFrame] = []
        while len(batch) < self._batch:
            self._fill()
            if not self._heads:
                break
            first = min(self._heads.values(), key=lambda f: (f.timestamp, f.camera_id))
            batch.append(self._heads.pop(first.camera_id))
        return batch

    def _fill(self) -> None:
        for camera_id in sorted(self._readers.keys() - self._heads.keys()):
            reader = self._readers[camera_id]
            try:
                frame = reader.get(timeout_s=0 if reader.source.live else None)
            except TimeoutError:
                continue
            if frame is None:
                del self._readers[camera_id]
            else:
                self._heads[camera_id] = frame
