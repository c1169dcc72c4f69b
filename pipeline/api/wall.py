"""The pictures and boxes of all cameras over one WebSocket, for the wall of the console."""

import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import anyio
import anyio.to_thread
import msgspec
from starlette.websockets import WebSocket

from pipeline.api.schemas import CameraAnswer
from pipeline.api.shown import ShownPictures, ShownSite
from pipeline.api.sockets import send_until_gone
from pipeline.bus.pictures import Picture
from pipeline.errors import UserError

#: New pictures are requested from Redis this often, however many walls there are.
POLL_S = 0.1
#: A camera without a picture for this long shows its boxes alone.
QUIET_S = 2.0
# Boxes come within an interval of the association; a picture has none where they are lost.
_MOST_PENDING = 100


class WallPictures:
    """The latest small pictures of the cameras on any wall; ``clock`` returns monotonic seconds."""

    def __init__(
        self, pictures: ShownPictures, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.latest: dict[str, Picture] = {}
        self._pictures = pictures
        self._clock = clock
        self._watched: Counter[str] = Counter()
        self._polled_at = -math.inf
        self._polling = False

    @contextmanager
    def watching(self, camera_ids: Sequence[str]) -> Iterator[None]:
        """Keep pictures of these cameras coming."""
        self._watched.update(camera_ids)
        try:
            yield
        finally:
            self._watched -= Counter(camera_ids)
            self.latest = {n: picture for n, picture in self.latest.items() if n in self._watched}

    async def refresh(self) -> None:
        """Get new pictures, unless another wall just does, or did within `POLL_S`."""
        now = self._clock()
        if self._polling or now - self._polled_at < 0.9 * POLL_S:
            return
        self._polling, self._polled_at = True, now
        known = {name: self._timestamp(name) for name in self._watched}
        try:
            self.latest.update(await anyio.to_thread.run_sync(self._pictures.newer, known))
        except UserError:
            # Redis is unavailable: the page is told by the state of the API.
            pass
        finally:
            self._polling = False

    def _timestamp(self, camera_id: str) -> float | None:
        picture = self.latest.get(camera_id)
        return None if picture is None else picture.timestamp


@dataclass(slots=True)
class _Tile:
    """What a wall was sent of a camera."""

    camera_id: str
    due: float = -math.inf
    sent: float | None = None
    sent_at: float = -math.inf
    # The frame of the boxes that were sent without a picture.
    shown: float = -math.inf
    # Timestamps of pictures whose boxes are still to come.
    pending: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_PENDING))


class Wall:
    """One wall: it sends at most ``fps`` pictures a second of each camera, and their boxes.

    A client that is too slow misses pictures, but gets no old ones.
    """

    def __init__(
        self,
        socket: WebSocket,
        site: ShownSite,
        pictures: WallPictures,
        camera_ids: Sequence[str],
        fps: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = socket
        self._site = site
        self._pictures = pictures
        self._tiles = [_Tile(camera_id) for camera_id in camera_ids]
        self._every_s = 1.0 / fps
        self._clock = clock

    async def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set or the client is gone."""
        with self._pictures.watching([tile.camera_id for tile in self._tiles]):
            while not stop.is_set():
                await self.step()
                await anyio.sleep(POLL_S)

    async def step(self) -> None:
        """Send what is new."""
        await self._pictures.refresh()
        for tile in self._tiles:
            await self._send_picture(tile)
        cameras: dict[str, CameraAnswer] = {}
        for tile in self._tiles:
            for timestamp in self._known(tile):
                cameras = cameras or {camera.id: camera for camera in self._site.cameras()}
                await self._send_boxes(cameras[tile.camera_id], timestamp)

    async def _send_picture(self, tile: _Tile) -> None:
        picture, now = self._pictures.latest.get(tile.camera_id), self._clock()
        # Half a poll early, or every second picture of a camera of the same rate would be left out.
        if picture is None or picture.timestamp == tile.sent or now + POLL_S / 2 < tile.due:
            return
        tile.due = (now if tile.due < now - self._every_s else tile.due) + self._every_s
        tile.sent, tile.sent_at = picture.timestamp, now
        tile.pending.append(picture.timestamp)
        await self._socket.send_bytes(picture_message(tile.camera_id, picture))

    def _known(self, tile: _Tile) -> list[float]:
        """The frames whose boxes have come: those of pictures, or the latest one without any."""
        observed, now = self._site.observed(tile.camera_id), self._clock()
        if now - tile.sent_at < QUIET_S:
            found = [timestamp for timestamp in tile.pending if timestamp <= observed]
            tile.pending = deque((t for t in tile.pending if t > observed), _MOST_PENDING)
            return found
        if observed == tile.shown or now < tile.due:
            return []
        tile.due, tile.shown = now + self._every_s, observed
        return [observed]

    async def _send_boxes(self, camera: CameraAnswer, timestamp: float) -> None:
        found = self._site.boxes_at(camera.id, timestamp)
        message = {
            "type": "boxes",
            "camera_id": camera.id,
            "timestamp": timestamp,
            "width": camera.width,
            "height": camera.height,
            "people": [asdict(box) for box in found],
        }
        await self._socket.send_text(msgspec.json.encode(message).decode())


def picture_message(camera_id: str, picture: Picture) -> bytes:
    """The length of a JSON header (4 bytes, big-endian), the header, and the JPEG."""
    header = json.dumps({"camera_id": camera_id, "timestamp": picture.timestamp}).encode()
    return len(header).to_bytes(4, "big") + header + picture.jpeg


async def show_wall(
    socket: WebSocket,
    site: ShownSite,
    pictures: WallPictures,
    cameras: str | None,
    fps: float,
    stop: threading.Event,
) -> None:
    """Serve one wall of the ``cameras`` named with commas, by default of all.

    An unknown camera closes it with a reason.
    """
    known = [camera.id for camera in site.cameras()]
    wanted = known if cameras is None else [name for name in cameras.split(",") if name]
    await socket.accept()
    if unknown := [name for name in wanted if name not in known]:
        await socket.close(1008, f"unknown camera {unknown[0]!r}"[:120])
        return
    wall = Wall(socket, site, pictures, list(dict.fromkeys(wanted)), fps)
    await send_until_gone(socket, lambda: wall.run(stop))
