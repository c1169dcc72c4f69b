"""Live cameras in a node: a silent camera delays nothing, and short losses are bridged."""

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import BOX, RED, FakeLive, found, scene
from pipeline.bus.keys import OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    unpack,
)
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from pipeline.config.schema import LiveConfig, SiteConfig
from pipeline.node.batching import FrameBatcher
from pipeline.node.node import Node
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources import Source, open_source
from pipeline.sources.camera_status import CameraStatus
from pipeline.sources.decode_ahead import DecodeAhead, close_all
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from rtsp_cameras import Cameras, clip_mount, h264_clip, missing_server
from trackers.detections import Detections

PICTURE = scene({BOX: RED})
_TIMEOUT_S = 600.0


class Known(CameraStatus):
    """A camera status whose frames before ``moment()`` are not waited for."""

    def __init__(self, camera_id: str, moment: Callable[[], float]) -> None:
        super().__init__(camera_id, LiveConfig(), lambda: 0.0)
        self.asked = threading.Event()
        self._moment = moment

    def late_before(self) -> float:
        moment = self._moment()
        self.asked.set()
        return moment


class Watched:
    """A live camera with one person at these times; each frame waits for the one before."""

    live = True
    width = height = 200
    fps = 10.0
    timestamp_origin = "arrival"
    fault = ""

    def __init__(
        self, camera_id: str, *times: float, passed: Callable[[], float] = lambda: -math.inf
    ) -> None:
        self.camera_id = camera_id
        self.status = Known(camera_id, passed)
        self.now = 0.0
        self._times = times

    def frames(self) -> Iterator[Frame]:
        for index, timestamp in enumerate(self._times):
            self.status.asked.wait(_TIMEOUT_S)
            self.now = timestamp
            yield Frame(self.camera_id, index, timestamp, BgrPicture(PICTURE))
            self.status.asked.clear()
        self.status.closing.wait(_TIMEOUT_S)


class OnePerson:
    """Detects one person per image; calls ``when(count)`` with the number of images so far."""

    def __init__(self, when: Callable[[int], None]) -> None:
        self.count = 0
        self._when = when

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        self.count += len(images)
        if images:
            self._when(self.count)
        return [found([BOX]) for _ in images]

    def start(self, images: list[NDArray[np.uint8]]) -> Callable[[], list[Detections]]:
        return lambda: self.detect(images)


class Site:
    """A node on a real Redis, and the messages it sent."""

    def __init__(self, url: str, name: str) -> None:
        self.bus = Bus(url, name)
        self.bus.declare()
        self.stop = threading.Event()
        self.messages: list[Message] = []
        self.seen = 0

    def run(self, config: SiteConfig, *sources: Source, frames: int) -> None:
        detector = OnePerson(lambda count: self.on_count(count, frames))
        node = Node(config, sources, self.bus, detector=detector, embedder=None)
        node.run(self.stop)
        self.read()

    def on_count(self, count: int, frames: int) -> None:
        self.seen = count
        if count >= frames:
            self.stop.set()

    def read(self) -> list[Message]:
        streams = (OBSERVATIONS, TRACKLETS)
        self.messages += [d.message for d in self.bus.read(RECORDER, "1", streams, 0.01, 10_000)]
        return self.messages

    def watermarks(self, camera_id: str) -> list[float]:
        marks = [m for m in self.messages if isinstance(m, WatermarkMessage) and not m.ended]
        return [m.timestamp for m in marks if m.camera_id == camera_id]

    def tracks(self) -> list[int]:
        seen = [m for m in self.messages if isinstance(m, ObservationsMessage)]
        return list(dict.fromkeys(int(track) for m in seen for track in unpack(m.track_id)))

    def closed(self) -> list[TrackletMessage]:
        return [m for m in self.messages if isinstance(m, TrackletMessage) and m.closed]

    def camera(self, camera_id: str) -> CameraRecord:
        records = [m.camera for m in self.messages if isinstance(m, CameraMessage)]
        return [record for record in records if record.camera_id == camera_id][-1]


@pytest.fixture
def node(redis_url: str, site: str) -> Site:
    return Site(redis_url, site)


def config_of(*camera_ids: str, **settings: object) -> SiteConfig:
    cameras = {camera_id: {"source": "rtsp://h/1"} for camera_id in camera_ids}
    return check_config({"cameras": cameras, **settings}, "the test")


def test_a_camera_without_frames_does_not_delay_others(node: Site) -> None:
    going = Watched("going", *(1000 + number / 2 for number in range(10)))
    silent = Watched("silent", passed=lambda: going.now - 0.5)
    node.run(config_of("going", "silent"), going, silent, frames=10)
    assert node.watermarks("going") == [1001.0, 1002.0, 1003.0, 1004.0]
    assert node.watermarks("silent")[-1] >= 1003.0
    assert node.camera("silent").frames == 0


def test_late_frames_are_dropped_and_counted(node: Site) -> None:
    times = 99.0, 99.9, 100.0, 100.1
    source = Watched("a", *times, passed=lambda: 100.0 if node.seen else -math.inf)
    node.run(config_of("a"), source, frames=3)
    seen = [m for m in node.messages if isinstance(m, ObservationsMessage)]
    assert [float(t) for m in seen for t in unpack(m.timestamp)] == [99.0, 100.0, 100.1]
    assert node.camera("a").dropped == 1


def test_a_stopped_live_camera_is_complete(node: Site) -> None:
    node.run(config_of("a"), Watched("a", 5.0), frames=1)
    assert (node.camera("a").state, node.camera("a").detail) == ("complete", "")


def test_the_tracks_of_a_lost_camera_are_closed_without_a_frame(node: Site) -> None:
    def moment() -> float:
        # Once the track is closed there is nothing more to wait for.
        node.stop.set() if node.closed() else node.read()
        return 52.0 if node.seen else -math.inf

    source = Watched("a", 50.0, passed=moment)
    node.run(config_of("a"), source, frames=99)
    (closed,) = node.closed()
    assert (closed.start, closed.end, closed.at) == (50.0, 50.0, 52.0)


class Outage:
    """Stops the cameras for ``seconds`` after ``after`` frames; sets ``done`` at the end."""

    def __init__(self, cameras: Cameras, after: int, seconds: float) -> None:
        self.done = threading.Event()
        self._cameras = cameras
        self._after = after
        self._seconds = seconds
        self._thread = threading.Thread(target=self._happen)

    def on_count(self, count: int) -> None:
        if count >= self._after and self._thread.ident is None:
            self._thread.start()

    def _happen(self) -> None:
        self._cameras.kill()
        self.done.wait(self._seconds)
        self._cameras.start()
        self.done.set()


@pytest.mark.skipif(bool(missing_server()), reason=missing_server())
@pytest.mark.parametrize(("buffer_s", "outage_s", "tracks"), [(6.0, 0.2, [1]), (0.3, 1.5, [1, 2])])
def test_a_loss_is_bridged_when_it_is_shorter_than_the_buffer(
    node: Site, tmp_path: Path, buffer_s: float, outage_s: float, tracks: list[int]
) -> None:
    live = {"retry_s": 0.1, "retry_max_s": 0.3, "read_timeout_s": 1, "late_s": 0.6}
    settings = {"tracker": {"buffer_s": buffer_s}, "association": {"interval_s": 0.2}}
    with Cameras({"/one": clip_mount(h264_clip(tmp_path / "clip"))}) as cameras:
        outage = Outage(cameras, after=20, seconds=outage_s)
        until = [10_000]

        def on_count(count: int) -> None:
            outage.on_count(count)
            if outage.done.is_set():
                until[0] = min(until[0], count + 20)
            if count >= until[0]:
                node.stop.set()

        given = {"a": {"source": cameras.url("one"), "live": live}}
        config = check_config({"cameras": given, **settings}, "the test")
        source = open_source("a", config.cameras["a"])
        person = OnePerson(on_count)
        Node(config, [source], node.bus, detector=person, embedder=None).run(node.stop)
    node.read()
    assert node.tracks() == tracks
    assert [closed.track_id for closed in node.closed()] == tracks
    if len(tracks) == 2:
        assert node.closed()[0].at < node.closed()[1].start


class Ticking(FakeLive):
    """A live camera of 50 frames per second by a clock that the test advances."""

    width = height = 200
    fps = 50.0

    def __init__(self, camera_id: str) -> None:
        super().__init__(camera_id)
        self._due, self._put = threading.Semaphore(0), threading.Semaphore(0)

    def frames(self) -> Iterator[Frame]:
        for index in itertools.count():
            self._due.acquire()
            yield Frame(self.camera_id, index, index / self.fps, BgrPicture(PICTURE))
            self._put.release()

    def tick(self, times: int) -> None:
        for _ in range(times):
            self._due.release()
            self._put.acquire(timeout=_TIMEOUT_S)


def test_overload_is_shared_and_the_delay_stays_bounded() -> None:
    cameras = [Ticking(name) for name in "abcde"]
    readers = [DecodeAhead(camera, 99, buffer_s=0.5) for camera in cameras]
    batcher, stop = FrameBatcher(readers, 2), threading.Event()
    counts, delays = dict.fromkeys("abcde", 0), []
    # A network that takes 0.1 s for two frames: 20 of the 250 frames per second.
    for second_tenth in range(1, 101):
        for camera in cameras:
            camera.tick(5)
        for frame in batcher.next_batch(stop) or []:
            counts[frame.camera_id] += 1
            delays.append(second_tenth / 10 + 0.1 - frame.timestamp)
    dropped = [reader.dropped for reader in readers]
    for camera in cameras:
        camera._due.release()
    close_all(readers)
    assert set(counts.values()) == {40}
    assert min(dropped) > 400
    assert max(dropped) - min(dropped) <= 2
    assert max(delays) < 0.5 + 0.1 + 0.05
