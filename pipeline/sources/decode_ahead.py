"""Read a source ahead of its consumer: one thread per camera, with a bounded buffer."""

import math
import time
from collections import deque
from collections.abc import Iterable
from threading import Condition, Thread
from typing import Self

from pipeline.sources.camera_status import status_of
from pipeline.sources.source import Frame, RecordedFrame, Source

_JOIN_S = 2.0
# A thread that is blocked on a silent camera is left to its own timeout.
_LIVE_JOIN_S = 0.3


class DecodeAhead:
    """A daemon thread that keeps up to ``capacity`` decoded frames of ``source`` ready.

    Reading a file pauses while the buffer is full, so no frame is lost. A live camera does not
    wait: its oldest frames are dropped, as are those more than ``buffer_s`` seconds older than the
    newest; ``dropped`` counts them. Use it as a context manager, or call `close`.
    """

    def __init__(self, source: Source, capacity: int, buffer_s: float = math.inf) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.source = source
        self.dropped = 0
        self._capacity = capacity
        self._buffer_s = buffer_s
        self._frames: deque[Frame | RecordedFrame] = deque()
        self._changed = Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._read, name=f"decode-{source.camera_id}", daemon=True)
        self._thread.start()

    def get(self, timeout_s: float | None = None) -> Frame | RecordedFrame | None:
        """The next frame in order; None at the end, and on every later call.

        Raises TimeoutError when there is no frame within ``timeout_s``. An error of the source is
        raised after the frames before it have been returned.
        """
        with self._changed:
            if not self._changed.wait_for(self._can_get, timeout_s):
                raise TimeoutError(f"no frame of {self.source.camera_id} within {timeout_s} s")
            if self._frames:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if self._error:
                raise self._error
            return None

    def next_timestamp(self) -> float | None:
        """The timestamp of the next frame, seconds UTC; None when it is not there yet."""
        with self._changed:
            return self._frames[0].timestamp if self._frames else None

    def empty(self) -> bool:
        """Whether `get` would block."""
        with self._changed:
            return not self._can_get()

    def close(self) -> None:
        """Stop the thread and discard the buffered frames.

        The thread of a silent camera ends by itself after its timeout.
        """
        close_all([self])

    def request_stop(self) -> None:
        """Ask the thread to end, without waiting for it."""
        status = status_of(self.source)
        if status is not None:
            status.closing.set()
        with self._changed:
            self._closed = True
            self._frames.clear()
            self._changed.notify_all()

    def _join(self, began: float) -> None:
        until = began + (_LIVE_JOIN_S if self.source.live else _JOIN_S)
        self._thread.join(max(0.0, until - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self) -> None:
        try:
            for frame in self.source.frames():
                if not self._put(frame):
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where frames are taken
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, frame: Frame | RecordedFrame) -> bool:
        """Add a frame; False when the reader was closed."""
        with self._changed:
            while self.source.live and self._is_stale(frame):
                self._frames.popleft()
                self.dropped += 1
            self._changed.wait_for(self._can_put)
            if not self._closed:
                self._frames.append(frame)
                self._changed.notify_all()
            return not self._closed

    def _is_stale(self, newest: Frame | RecordedFrame) -> bool:
        """Whether the oldest frame must make room for ``newest``."""
        if not self._frames:
            return False
        age_s = newest.timestamp - self._frames[0].timestamp
        return len(self._frames) >= self._capacity or age_s > self._buffer_s

    def _can_put(self) -> bool:
        return self._closed or len(self._frames) < self._capacity

    def _can_get(self) -> bool:
        return bool(self._frames) or self._ended or self._closed


def close_all(readers: Iterable[DecodeAhead]) -> None:
    """Close all readers at the same time, so that the waits for those that hang do not add up."""
    readers = list(readers)
    for reader in readers:
        reader.request_stop()
    began = time.monotonic()
    for reader in readers:
        reader._join(began)
