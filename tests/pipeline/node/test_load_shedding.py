"""The load of a node: what is measured, shed and reported. Clocks and cameras are fakes."""

import numpy as np
import pytest

from fakes import BOX, RED, Clip, found, scene
from pipeline.bus.messages import TrackletMessage, WatermarkMessage
from pipeline.config.load import check_config
from pipeline.config.schema import LiveConfig, SiteConfig, TrackerConfig
from pipeline.monitoring.watch import CameraLoad, Watch
from pipeline.monitoring.web import not_ready_reason
from pipeline.node.camera import Camera
from pipeline.node.load_shedding import LoadMeter
from pipeline.node.perception import Perception
from pipeline.node.tracker import FollowedRate, open_tracker
from pipeline.sources.camera_status import CameraStatus
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from reid_model.embedder import Descriptions
from trackers.single_camera.boxmot import SingleCameraTracker
from trackers.single_camera.link import LinkTracker


class Live(Clip):
    """A live camera that has sent what the test says."""

    live = True
    fps = 10.0

    def __init__(self, camera_id: str = "gate") -> None:
        super().__init__(camera_id, [])
        self.status = CameraStatus(camera_id, LiveConfig(), lambda: 0.0)


class Host:
    """A node of one camera, on a computer that follows as many frames as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.watch = Watch()
        self.source = Live()
        self.load = LoadMeter(self.watch, 4, lambda: self.now, lambda: self.now)

    def period(
        self, sent: int, followed: int, delay_s: float = 0.1, busy_s: float = 1.4
    ) -> CameraLoad:
        """Two seconds, of which the node worked for some."""
        self.load.processed(0, busy_s)
        for _ in range(followed):
            self.load.followed(self.source, self.now - delay_s)
        self.source.status.frames += sent
        self.now += 2.0
        self.load.judge([self.source])
        return self.watch.loads["gate"]


def test_a_node_that_follows_all_frames_is_not_overloaded() -> None:
    host = Host()
    for _ in range(5):
        load = host.period(20, 20, delay_s=0.25)
    assert load == CameraLoad(fps=10.0, sent_fps=10.0, delay_s=pytest.approx(0.25))
    assert (host.load.most_crops(3), host.source.status.spacing_s) == (None, 0.0)
    assert host.watch.faults == {}


def test_many_frames_are_enough_even_where_more_are_sent() -> None:
    host = Host()
    assert not any(host.period(50, 16).overloaded for _ in range(5))


def test_an_overload_is_reported_and_shed_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    assert [host.period(20, 2, delay_s=0.9).overloaded for _ in range(3)] == [False, True, True]
    said = "overloaded: of camera gate 1.0 of 10.0 frames a second are followed, 0.9 s late"
    assert not_ready_reason(host.watch, lambda: None) == said
    assert host.load.most_crops(3) == 6
    # Twice as many frames are offered as were followed.
    assert host.source.status.spacing_s == 0.5
    good = [host.period(20, 20).overloaded for _ in range(3)]
    assert (good, host.watch.faults) == ([True, True, False], {})
    assert (host.load.most_crops(3), host.source.status.spacing_s) == (None, 0.0)
    assert [message.partition(".")[0] for message in caplog.messages] == [
        "overloaded: of camera gate 1",
        "no longer overloaded",
    ]
    # Two bad periods, and two good ones until they agreed.
    assert host.watch.loads["gate"].overloaded_s == 8.0


def test_a_node_with_time_left_is_offered_more_frames() -> None:
    """Of a camera with rare keyframes only these are offered, and all of them are followed."""
    host = Host()
    for _ in range(3):
        host.period(20, 1)
    assert host.source.status.spacing_s == 1.0
    host.period(20, 1, busy_s=1.3)
    assert host.source.status.spacing_s == 0.25


def test_a_silent_camera_is_no_overload() -> None:
    host = Host()
    for _ in range(5):
        load = host.period(0, 0)
    assert load == CameraLoad()


def test_the_delay_is_that_of_this_computer_and_not_of_the_cameras_clock() -> None:
    host = Host()
    host.source.status.delay_s = 30.0  # by this computer's clock the camera is so far behind
    assert host.period(20, 20, delay_s=30.25).delay_s == pytest.approx(0.25)


def test_a_batch_takes_no_longer_than_frames_may_wait() -> None:
    host = Host()
    assert host.load.batch(0.5) == 4
    host.load.processed(4, 0.8)  # 0.2 s each
    assert (host.load.batch(0.5), host.load.batch(0.1), host.load.batch(None)) == (2, 1, 4)
    for _ in range(50):
        host.load.processed(4, 0.04)
    assert host.load.batch(0.5) == 4


@pytest.mark.parametrize(("fps", "low"), [(0.9, True), (5.0, True), (10.0, False)])
def test_few_followed_frames_get_the_tracker_for_few(fps: float, low: bool) -> None:
    config = TrackerConfig()
    rate, tracker = FollowedRate(config, 10.0), open_tracker(config, 10.0)
    assert isinstance(tracker, SingleCameraTracker)
    for number in range(60):
        tracker = rate.fitting(tracker, number / fps)
    assert (rate.is_low, isinstance(tracker, LinkTracker)) == (low, low)
    assert rate.buffer_s == pytest.approx(max(1.0, 3 / fps), rel=0.01)
    for number in range(250):
        tracker = rate.fitting(tracker, 60 / fps + (number + 1) / 10)
    assert (rate.is_low, isinstance(tracker, LinkTracker)) == (False, False)


def test_a_single_slow_start_or_loss_changes_no_tracker() -> None:
    rate, tracker = FollowedRate(TrackerConfig(), 10.0), open_tracker(TrackerConfig(), 10.0)
    times = [0.0, 2.0, 3.0, 3.5, *(3.6 + step / 10 for step in range(20)), 60.0, 60.1]
    assert all(rate.fitting(tracker, timestamp) is tracker for timestamp in times)
    assert (rate.is_low, rate.buffer_s) == (False, 1.0)


def test_a_tracker_that_was_chosen_is_kept() -> None:
    config = TrackerConfig(name="bytetrack")
    rate, tracker = FollowedRate(config, 10.0), open_tracker(config, 10.0)
    assert all(rate.fitting(tracker, float(second)) is tracker for second in range(60))
    assert rate.is_low


def config() -> SiteConfig:
    return check_config({"cameras": {"gate": {"source": "rtsp://h/1"}}}, "the test")


class Embedder:
    """Remembers how many crops it got at once."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    has_words = False

    def describe(self, crops: list[np.ndarray]) -> Descriptions:
        return Descriptions(self.embed(crops))

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        self.calls.append(len(crops))
        return np.tile(np.array([1, 0], np.float32), (len(crops), 1))


def update(camera: Camera, timestamp: float, *boxes: tuple[int, int, int, int]) -> None:
    image = scene(dict.fromkeys(boxes, RED))
    camera.update(Frame("gate", round(timestamp * 10), timestamp, BgrPicture(image)), found(boxes))


def tracklets(camera: Camera) -> list[TrackletMessage]:
    return [m for m in camera.take_messages(ended=False)[1] if isinstance(m, TrackletMessage)]


def test_where_few_frames_are_followed_a_person_needs_several() -> None:
    camera = Camera(Live(), config(), None)
    perception = Perception(None, Embedder(), tracker_embeddings=False)
    seen = []
    for second in range(0, 40, 2):
        update(camera, float(second), BOX)
        perception.embed([camera])
        seen += tracklets(camera)
    # One tracker took over from the other, and the last track goes on.
    last = [t for t in seen if t.track_id == seen[-1].track_id]
    assert last[-1].count > 10
    for tracklet in last:
        assert (tracklet.qualities.shape[0] > 0) == (tracklet.count >= 3), tracklet.count


def test_an_overload_embeds_first_what_has_nothing_yet() -> None:
    boxes = [(10, 20, 50, 140), (60, 20, 100, 140), (140, 20, 180, 140)]
    camera, embedder = Camera(Live(), config(), None), Embedder()
    perception = Perception(None, embedder, tracker_embeddings=False)
    shed = []
    for number in range(24):
        update(camera, number / 10, *boxes)
        shed.append(perception.embed([camera], most=1))
    assert set(embedder.calls) == {1}
    assert sum(shed) > 0
    counts = [t.qualities.shape[0] for t in tracklets(camera)]
    assert counts == [1, 1, 1] or max(counts) - min(counts) <= 1
    assert perception.embed([camera], most=None) == 0


def test_what_was_seen_is_sent_while_the_next_frame_waits_for_its_turn() -> None:
    camera = Camera(Live(), config(), None)
    for timestamp in (10.0, 10.1, 10.2):
        update(camera, timestamp, BOX)
    assert camera.take_messages(ended=False) == ([], [])
    assert not camera.flush_to(10.9)
    assert camera.flush_to(14.0)
    observations, sent = camera.take_messages(ended=False)
    assert len(observations) == 1
    assert [m for m in sent if isinstance(m, WatermarkMessage)] == [WatermarkMessage("gate", 14.0)]
    # The frame that waits may continue the track.
    assert not any(m.closed for m in sent if isinstance(m, TrackletMessage))
    assert not camera.flush_to(13.0)
