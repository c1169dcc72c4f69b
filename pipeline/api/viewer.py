"""Pictures of cameras: asked for at their nodes while somebody looks."""

import threading
import time
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.to_thread

from pipeline.bus import pictures
from pipeline.bus.pictures import Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.errors import UserError

_POLL_S = 0.05
# A node looks once a second who is there, and a camera may give few frames.
_FIRST_S = 4.0
_ASK_EVERY_S = 1.0
#: A preview ends when its camera has shown nothing new for so long.
QUIET_S = 10.0

BOUNDARY = "picture"


class Viewer:
    """Looks at one camera; ``stop`` ends that. ``clock`` gives seconds that only move forward."""

    def __init__(
        self,
        bus: Bus,
        camera_id: str,
        kind: PictureKind,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._camera_id = camera_id
        self._kind = kind
        self._stop = stop
        self._clock = clock
        self._known: float | None = None
        self._asked_at: float | None = None

    async def next(self, patience_s: float | None = None) -> Picture | None:
        """The next picture; None when there is none for ``patience_s`` (else 4) seconds.

        Raises UserError when Redis fails.
        """
        end = self._clock() + (_FIRST_S if patience_s is None else patience_s)
        while not self._stop.is_set():
            picture = await anyio.to_thread.run_sync(self._look)
            if picture is not None:
                self._known = picture.timestamp
                return picture
            if self._clock() >= end:
                return None
            await anyio.sleep(_POLL_S)
        return None

    async def stream(self, first: Picture) -> AsyncIterator[bytes]:
        """The parts of an MJPEG stream, from ``first`` on."""
        picture: Picture | None = first
        while picture is not None:
            yield _part(picture)
            try:
                picture = await self.next(QUIET_S)
            except UserError:
                return

    def _look(self) -> Picture | None:
        now = self._clock()
        if self._asked_at is None or now - self._asked_at >= _ASK_EVERY_S:
            pictures.request(self._bus, self._camera_id, self._kind)
            self._asked_at = now
        return pictures.latest(self._bus, self._camera_id, self._kind, self._known)


def _part(picture: Picture) -> bytes:
    head = (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
        f"X-Timestamp: {picture.timestamp!r}\r\n\r\n"
    )
    return head.encode() + picture.jpeg + b"\r\n"
