"""The WebSocket with the pictures and boxes of all cameras."""

import json
from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection

from builders import camera_sent, identity_sent, observations_sent
from live_api import LiveApi
from pipeline.api.wall import QUIET_S, Wall, WallPictures
from pipeline.bus import pictures
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.pictures import Picture


def next_picture(wall: ClientConnection) -> tuple[dict[str, Any], bytes]:
    """The header and the JPEG of the next picture."""
    while True:
        message = wall.recv(timeout=600)
        if isinstance(message, bytes):
            size = int.from_bytes(message[:4], "big")
            return json.loads(message[4 : 4 + size]), message[4 + size :]


def next_boxes(wall: ClientConnection) -> dict[str, Any]:
    while True:
        message = wall.recv(timeout=600)
        if isinstance(message, str):
            return dict(json.loads(message))


@pytest.mark.parametrize("global_id", [7, None])
def test_pictures_come_with_the_boxes_of_their_frames(api: LiveApi, global_id: int | None) -> None:
    api.receive(OBSERVATIONS, camera_sent("gate", 0))
    with api.wall() as wall:
        pictures.publish(api.bus, "gate", "small", Picture(0.2, b"jpeg"))
        header, jpeg = next_picture(wall)
        assert (header, jpeg) == ({"camera_id": "gate", "timestamp": 0.2}, b"jpeg")
        assert ("gate", "small") in pictures.requested(api.bus, ["gate", "hall"])
        api.receive(IDENTITIES, identity_sent("gate", 1 if global_id else 2, 7, 1.0))
        api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1), camera_sent("gate", 5))
        boxes = next_boxes(wall)
    assert (boxes["camera_id"], boxes["timestamp"]) == ("gate", 0.2)
    assert (boxes["width"], boxes["height"]) == (640, 480)
    assert boxes["people"] == [
        {
            "global_id": global_id,
            "track_id": 1,
            "box": [2.0, 20.0, 42.0, 90.0],
            "confidence": 0.75,
            "ground": None,
        }
    ]


def test_a_frame_without_people_has_no_boxes(api: LiveApi) -> None:
    with api.wall("?cameras=hall") as wall:
        pictures.publish(api.bus, "hall", "small", Picture(0.3, b"jpeg"))
        next_picture(wall)
        api.receive(OBSERVATIONS, camera_sent("hall", 9))
        boxes = next_boxes(wall)
    assert (boxes["timestamp"], boxes["people"]) == (0.3, [])


def test_only_the_wanted_cameras_are_requested(api: LiveApi) -> None:
    with api.wall("?cameras=gate") as wall:
        pictures.publish(api.bus, "gate", "small", Picture(0.0, b"jpeg"))
        next_picture(wall)
        assert pictures.requested(api.bus, ["gate", "hall"]) == {("gate", "small")}


def test_an_unknown_camera_closes_it_with_the_reason(api: LiveApi) -> None:
    with (
        api.wall("?cameras=gate,lift") as wall,
        pytest.raises(ConnectionClosedError, match="unknown camera 'lift'"),
    ):
        wall.recv(timeout=600)


@pytest.mark.parametrize("fps", ["0", "26", "many", "nan"])
def test_an_impossible_rate_is_refused(api: LiveApi, fps: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        api.wall(f"?fps={fps}")


class Sent:
    """A socket that keeps what it was given; it stands in for a browser."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self.boxes: list[dict[str, Any]] = []

    async def send_bytes(self, message: bytes) -> None:
        self.pictures.append(message)

    async def send_text(self, message: str) -> None:
        self.boxes.append(json.loads(message))


class Shown:
    """Pictures of a camera, one a second of the clock of the test."""

    def __init__(self) -> None:
        self.asked = 0
        self.picture: Picture | None = None

    def newer(self, known: dict[str, float | None]) -> dict[str, Picture]:
        self.asked += 1
        return {"gate": self.picture} if self.picture else {}


def test_several_walls_ask_once_and_a_slow_rate_leaves_pictures_out(api: LiveApi) -> None:
    shown, clock = Shown(), api.monotonic
    shared = WallPictures(shown, clock)  # type: ignore[arg-type]
    fast, slow = Sent(), Sent()
    walls = [
        Wall(socket, api.site, shared, ["gate"], fps, clock)  # type: ignore[arg-type]
        for socket, fps in ((fast, 10.0), (slow, 2.0))
    ]

    async def play() -> None:
        with shared.watching(["gate"]), shared.watching(["gate"]):
            for number in range(20):
                shown.picture = Picture(float(number), b"")
                for wall in walls:
                    await wall.step()
                clock.now += 0.1

    anyio.run(play)
    assert (len(fast.pictures), len(slow.pictures)) == (20, 4)
    assert shown.asked == 20
    assert shared.latest == {}


def test_a_camera_without_pictures_shows_its_boxes_alone(api: LiveApi) -> None:
    shown, clock, socket = Shown(), api.monotonic, Sent()
    shared = WallPictures(shown, clock)  # type: ignore[arg-type]
    wall = Wall(socket, api.site, shared, ["gate"], 5.0, clock)  # type: ignore[arg-type]
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1))
    shown.picture = Picture(0.0, b"")
    anyio.run(wall.step)
    assert [boxes["timestamp"] for boxes in socket.boxes] == [0.0]
    clock.now += QUIET_S
    anyio.run(wall.step)
    anyio.run(wall.step)
    assert [boxes["timestamp"] for boxes in socket.boxes] == [0.0, 0.4]
