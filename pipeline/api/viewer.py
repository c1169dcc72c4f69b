"""Live pictures of cameras, requested from their nodes while there is a viewer."""

import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping

import anyio
import anyio.to_thread

from pipeline.api.schemas import CameraAnswer
from pipeline.bus import pictures
from pipeline.bus.pictures import Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.errors import UserError

_POLL_S = 0.05
# A node polls for requests once a second, and a camera may have a low frame rate.
_FIRST_S = 4.0
_REQUEST_EVERY_S = 1.0
#: A preview ends when its camera has no new frame for this many seconds.
QUIET_S = 10.0

BOUNDARY = "picture"


class LivePictures:
    """The pictures that the nodes of a site send over ``bus``, until ``stop`` is set.

    ``clock`` returns monotonic seconds.
    """

    def __init__(
        self, bus: Bus, stop: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = bus
        self._stop = stop
        self._clock = clock
        self._requested_at: dict[str, float] = {}

    def viewer(self, camera_id: str, kind: PictureKind) -> "Viewer":
        """A viewer of one camera, of pictures of one kind."""
        return Viewer(self._bus, camera_id, kind, self._stop)

    def newer(self, known: Mapping[str, float | None]) -> dict[str, Picture]:
        """The latest small picture of each camera of ``known`` that is not of its timestamp.

        It requests them for the next seconds. Raises UserError when Redis fails.
        """
        now = self._clock()
        long_ago = now - _REQUEST_EVERY_S
        due = [name for name in known if self._requested_at.get(name, -math.inf) <= long_ago]
        pictures.request(self._bus, due, "small")
        self._requested_at.update(dict.fromkeys(due, now))
        return pictures.newer(self._bus, known, "small")

    def missing(self, camera: CameraAnswer) -> str:
        """Why a camera has no picture, and what was expected."""
        state = f"{camera.state}: {camera.reason}" if camera.reason else camera.state
        return (
            f"camera {camera.id} has no picture now. It is {state}. Expected a running camera with "
            "images, and api.pictures: true in the configuration of its node"
        )


class Viewer:
    """A viewer of one camera, until ``stop`` is set. ``clock`` returns monotonic seconds."""

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
        self._requested_at: float | None = None

    async def next(self, timeout_s: float | None = None) -> Picture | None:
        """The next picture; None if there is none within ``timeout_s`` (default 4) seconds.

        Raises UserError when Redis fails.
        """
        end = self._clock() + (_FIRST_S if timeout_s is None else timeout_s)
        while not self._stop.is_set():
            picture = await anyio.to_thread.run_sync(self._poll)
            if picture is not None:
                self._known = picture.timestamp
                return picture
            if self._clock() >= end:
                return None
            await anyio.sleep(_POLL_S)
        return None

    async def stream(self, first: Picture) -> AsyncIterator[bytes]:
        """The parts of an MJPEG stream, starting with ``first``."""
        picture: Picture | None = first
        while picture is not None:
            yield mjpeg_part(picture)
            try:
                picture = await self.next(QUIET_S)
            except UserError:
                return

    def _poll(self) -> Picture | None:
        now = self._clock()
        if self._requested_at is None or now - self._requested_at >= _REQUEST_EVERY_S:
            pictures.request(self._bus, [self._camera_id], self._kind)
            self._requested_at = now
        known = {self._camera_id: self._known}
        return pictures.newer(self._bus, known, self._kind).get(self._camera_id)


def mjpeg_part(picture: Picture) -> bytes:
    """``picture`` as a part of an MJPEG stream."""
    head = (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
        f"X-Timestamp: {picture.timestamp!r}\r\n\r\n"
    )
    return head.encode() + picture.jpeg + b"\r\n"
