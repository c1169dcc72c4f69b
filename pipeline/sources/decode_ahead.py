"""Read a source ahead of its consumer, in one thread a camera with a bounded buffer."""

from collections import deque
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from pipeline.frame import Frame
from pipeline.sources.source import RecordedFrame, Source

_JOIN_S = 2.0


class DecodeAhead:
    """A daemon thread that keeps up to ``capacity`` frames of ``source`` ready.

    A file waits while the buffer is full, so no frame of it is lost. A live camera does not wait:
    its oldest frame makes room, and ``dropped`` counts it. Use as a context manager, or close.
    """

    def __init__(self, source: Source, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.source = source
        self.dropped = 0
        self._capacity = capacity
        self._frames: deque[Frame | RecordedFrame] = deque()
        self._changed = Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._read, name=f"decode-{source.camera_id}", daemon=True)
        self._thread.start()

    def get(self, timeout_s: float | None = None) -> Frame | RecordedFrame | None:
        """The next frame in order; None at the end, from then on always.

        Raises TimeoutError when there is none within ``timeout_s``, and what the source raised
        once the frames before it are taken.
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

    def empty(self) -> bool:
        """Whether `get` would have to wait now."""
        with self._changed:
            return not self._can_get()

    def close(self) -> None:
        """Stop the thread, whatever it does, and let go of the frames it has ready.

        A live camera that is silent is left to its read timeout.
        """
        with self._changed:
            self._closed = True
            self._frames.clear()
            self._changed.notify_all()
        self._thread.join(_JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
            if self.source.live and len(self._frames) >= self._capacity:
                self._frames.popleft()
                self.dropped += 1
            self._changed.wait_for(self._can_put)
            if not self._closed:
                self._frames.append(frame)
                self._changed.notify_all()
            return not self._closed

    def _can_put(self) -> bool:
        return self._closed or len(self._frames) < self._capacity

    def _can_get(self) -> bool:
        return bool(self._frames) or self._ended or self._closed
