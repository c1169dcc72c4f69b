"""Snapshots and previews of a real node that plays a real video; only its detector is a fake."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from builders import camera_sent
from fakes import ColourDetector
from live_api import LiveApi
from pipeline.bus import pictures
from pipeline.bus.keys import OBSERVATIONS
from pipeline.bus.pictures import Picture
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from pipeline.config.schema import CameraConfig
from pipeline.node.node import Node
from pipeline.sources import open_source
from pipeline.sources.source import Frame
from videos import make_video

SIZE = (160, 120)


class Endless:
    """A looped video of ten frames per second, until ``stop`` is set."""

    live = False
    fps = 10.0
    timestamp_origin = "epoch"
    fault = ""

    def __init__(self, camera_id: str, path: Path, stop: threading.Event) -> None:
        self.camera_id = camera_id
        self.width, self.height = SIZE
        self._path = path
        self._stop = stop

    def frames(self) -> Iterator[Frame]:
        index = count()
        while True:
            source = open_source(self.camera_id, CameraConfig(source=str(self._path)))
            for frame in source.frames():
                if self._stop.wait(0.1):
                    return
                assert isinstance(frame, Frame)
                number = next(index)
                yield Frame(self.camera_id, number, number / 10, frame.picture)


@pytest.fixture
def api_with_node(api: LiveApi, redis_url: str, tmp_path: Path) -> Iterator[LiveApi]:
    """An API with a node that runs the camera gate; no node runs hall."""
    video = make_video(tmp_path / "gate.mp4", 10, size=SIZE)
    config = check_config({"cameras": {"gate": {"source": str(video)}}}, "the test")
    stop = threading.Event()
    with Bus(redis_url, api.bus.site) as bus:
        source = Endless("gate", video, stop)
        node = Node(config, [source], bus, detector=ColourDetector(), embedder=None)
        thread = threading.Thread(target=node.run, args=[stop])
        thread.start()
        yield api
        stop.set()
        thread.join()


def decoded(jpeg: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def test_a_snapshot_is_a_jpeg_of_the_size_of_the_camera(api_with_node: LiveApi) -> None:
    answer = api_with_node.http.get("/cameras/gate/snapshot.jpg")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert float(answer.headers["X-Timestamp"]) >= 0
    assert float(answer.headers["X-Age"]) >= 0
    assert decoded(answer.content).shape == (SIZE[1], SIZE[0], 3)
    assert api_with_node.http.get("/cameras/gate/snapshot.jpg?boxes=true").status_code == 200


def test_a_snapshot_tells_its_age(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, camera_sent("gate", 200))
    pictures.publish(api.bus, "gate", "full", Picture(12.5, b"jpeg"))
    answer = api.http.get("/cameras/gate/snapshot.jpg")
    assert (answer.headers["X-Timestamp"], answer.headers["X-Age"]) == ("12.5", "7.5")


def test_a_preview_is_a_sequence_of_pictures(api_with_node: LiveApi) -> None:
    times = []
    with api_with_node.http.stream("GET", "/cameras/gate/preview.mjpeg") as answer:
        kind = answer.headers["Content-Type"]
        assert kind == "multipart/x-mixed-replace; boundary=picture"
        parts = parts_of(answer)
        for _ in range(3):
            timestamp, jpeg = next(parts)
            times.append(timestamp)
            assert decoded(jpeg).shape == (SIZE[1], SIZE[0], 3)
    assert times == sorted(set(times))


def parts_of(answer: httpx.Response) -> Iterator[tuple[float, bytes]]:
    """Timestamp and JPEG of each part."""
    buffer = b""
    for chunk in answer.iter_raw():
        buffer += chunk
        while (head_end := buffer.find(b"\r\n\r\n")) >= 0:
            lines = buffer[:head_end].decode().split("\r\n")
            assert lines[0] == "--picture"
            head = dict(line.split(": ") for line in lines[1:])
            end = head_end + 4 + int(head["Content-Length"])
            if len(buffer) < end + 2:
                break
            yield float(head["X-Timestamp"]), buffer[head_end + 4 : end]
            buffer = buffer[end + 2 :]


def test_a_camera_without_a_node_has_no_picture(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.api.viewer._FIRST_S", 0.2)
    for name in ("snapshot.jpg", "preview.mjpeg"):
        answer = api.http.get(f"/cameras/hall/{name}")
        assert answer.status_code == 404
        expected = "camera hall has no picture now. It is waiting: no message from its node yet"
        assert expected in answer.json()["detail"]


def test_a_preview_ends_with_the_process(
    api_with_node: LiveApi, open_api: Callable[..., LiveApi]
) -> None:
    other = open_api()
    with other.http.stream("GET", "/cameras/gate/preview.mjpeg") as answer:
        parts = parts_of(answer)
        next(parts)
        other.stop.set()
        # A picture being sent still arrives.
        assert len(list(parts)) <= 2
