"""A node on a real Redis; sources, detector and embedder are fakes, see `fakes`."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import redis

from buses import KilledError
from fakes import (
    BLUE,
    BOX,
    GREEN,
    RED,
    Clip,
    ColourDetector,
    ColourEmbedder,
    Image,
    Recorded,
)
from pipeline.associator.associator import AssociatorService
from pipeline.associator.open import association_of
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    encode,
    unpack,
)
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.node.node import Node
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources import Source
from pipeline.sources.source import Frame, FramePicture
from trackers.detections import Detections

LEFT, RIGHT = (20, 20, 60, 140), (130, 20, 170, 140)


def times(count: int, fps: float = 10.0, start: float = 0.0) -> list[float]:
    return [start + index / fps for index in range(count)]


class Sent:
    """What a node sent: everything in order, and by kind."""

    def __init__(self, messages: list[Message]) -> None:
        self.all = messages
        self.watermarks = [m for m in messages if isinstance(m, WatermarkMessage)]
        self.tracklets = [m for m in messages if isinstance(m, TrackletMessage)]
        self.observations = [m for m in messages if isinstance(m, ObservationsMessage)]

    def rows(self, camera_id: str) -> list[tuple[int, int]]:
        """Frame and track of every observation, as they were sent."""
        return [
            (int(frame), int(track))
            for m in self.observations
            if m.camera_id == camera_id
            for frame, track in zip(unpack(m.frame_index), unpack(m.track_id), strict=True)
        ]

    def frames(self, camera_id: str) -> list[int]:
        return [frame for frame, _ in self.rows(camera_id)]

    def camera(self, camera_id: str) -> CameraRecord:
        """The last state sent of a camera."""
        records = [m.camera for m in self.all if isinstance(m, CameraMessage)]
        return [camera for camera in records if camera.camera_id == camera_id][-1]

    def closed(self, camera_id: str) -> list[TrackletMessage]:
        return [m for m in self.tracklets if m.closed and m.camera_id == camera_id]


class Site:
    """Runs nodes on one site of a real Redis and reads what they sent."""

    def __init__(self, url: str, name: str) -> None:
        self.bus = Bus(url, name)
        self.bus.declare()
        self.detector = ColourDetector()
        self.embedder: ColourEmbedder | None = ColourEmbedder()
        self.progress: list[tuple[str, int]] = []

    def run(
        self,
        *sources: Source,
        stop: threading.Event | None = None,
        thumbnails: Path | None = None,
        send_thumbnails: bool = False,
        **settings: object,
    ) -> Sent:
        node = Node(
            config_of(sources, settings),
            sources,
            self.bus,
            detector=self.detector,
            embedder=self.embedder,
            thumbnails=thumbnails,
            send_thumbnails=send_thumbnails,
            on_frames=lambda camera_id, frames: self.progress.append((camera_id, frames)),
        )
        node.run(stop or threading.Event())
        return self.sent()

    def sent(self) -> Sent:
        streams = (OBSERVATIONS, TRACKLETS)
        deliveries = self.bus.read(RECORDER, "1", streams, 0.01, count=10_000)
        return Sent([d.message for d in deliveries if d.message is not None])


def config_of(sources: Sequence[Source], settings: dict[str, object]) -> SiteConfig:
    cameras = {source.camera_id: {"source": "x.mp4"} for source in sources}
    given = settings.pop("cameras", {})
    assert isinstance(given, dict)
    return check_config({"cameras": {**cameras, **given}, **settings}, "the test")


@pytest.fixture
def node(redis_url: str, site: str) -> Site:
    return Site(redis_url, site)


def test_every_frame_of_every_camera_is_processed_once_and_in_order(node: Site) -> None:
    sent = node.run(
        Clip("slow", times(20)),
        Clip("fast", times(40, fps=25), fps=25.0),
        Clip("late", times(5, start=30.0)),
        Clip("single", [0.55]),
    )
    counts = {"slow": 20, "fast": 40, "late": 5, "single": 1}
    for camera_id, count in counts.items():
        assert sent.frames(camera_id) == list(range(count))
        assert (sent.camera(camera_id).frames, sent.camera(camera_id).state) == (count, "complete")
        assert [n for c, n in node.progress if c == camera_id][-1] == count
    assert sum(node.detector.calls) == 66
    # Batches are full but for the last one.
    assert set(node.detector.calls[:-1]) == {4}
    late = sent.camera("late")
    assert (late.start, late.end, late.fps, late.timestamp_origin) == (30.0, 30.4, 10.0, "epoch")
    assert (late.width, late.height, late.source) == (200, 160, "x.mp4")


def test_the_order_of_sources_changes_nothing(redis_url: str, site: str) -> None:
    sources = (
        lambda: Clip("a", times(12), {LEFT: RED}),
        lambda: Clip("b", times(25, fps=25), {LEFT: BLUE, RIGHT: GREEN}),
    )
    one, other = (
        Site(redis_url, f"{site}{number}").run(*(make() for make in order))
        for number, order in enumerate((sources, sources[::-1]))
    )
    assert len(one.all) > 10
    assert [encode(m) for m in one.all] == [encode(m) for m in other.all]


@pytest.mark.parametrize("rate", ["all", "auto", 4.0])
@pytest.mark.parametrize("batch", [2, 7, 100])
def test_the_batch_size_changes_nothing(
    redis_url: str, site: str, batch: int, rate: str | float
) -> None:
    def sources() -> list[Source]:
        def passing(time: float) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
            return {LEFT: RED} if time % 2.5 < 0.9 else {}

        return [
            Clip("a", times(48), passing),
            Clip("b", times(61, fps=25, start=0.3), {LEFT: BLUE, RIGHT: GREEN}, fps=25.0),
            Clip("short", times(4, start=1.8), {RIGHT: RED}),
            Recorded("recorded", times(20, start=0.95), embedding=(0.6, 0.8)),
        ]

    one, other = (
        Site(redis_url, f"{site}{size}").run(*sources(), detector={"batch": size, "rate": rate})
        for size in (1, batch)
    )
    assert len(one.all) > 40
    assert encoded(one) == encoded(other)


class Noted(ColourDetector):
    """A detector that notes when detection begins and when its result is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def start(self, pictures: Sequence[FramePicture | Image]) -> Callable[[], list[Detections]]:
        self.noted.append("begin")
        found = super().start(pictures)

        def finish() -> list[Detections]:
            self.noted.append("take")
            return found()

        return finish


def test_the_next_batches_of_a_recording_are_detected_while_one_is_processed(node: Site) -> None:
    node.detector = detector = Noted()
    node.run(Clip("a", times(16)), detector={"batch": 4})
    assert detector.noted == [*3 * ["begin"], "take", "begin", *3 * ["take"]]


def test_a_live_frame_does_not_wait_for_the_next_batch(node: Site) -> None:
    node.detector = detector = Noted()
    clip = Clip("a", times(12))
    clip.live = True
    node.run(clip, detector={"batch": 4})
    assert detector.noted == ["begin", "take"] * len(detector.calls)


def test_a_still_scene_is_detected_once_and_observed_in_every_frame(node: Site) -> None:
    sent = node.run(Clip("a", times(30, fps=20), fps=20.0), detector={"rate": "auto"})
    assert sum(node.detector.calls) == 1
    assert sent.frames("a") == list(range(30))
    assert {track for _, track in sent.rows("a")} == {1}
    assert sent.camera("a").frames == 30


def test_an_empty_view_is_detected_once_until_somebody_comes(node: Site) -> None:
    def passing(time: float) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
        return {BOX: RED} if 2.0 <= time < 3.0 else {}

    sent = node.run(Clip("a", times(50), passing), detector={"rate": "auto"})
    assert sum(node.detector.calls) == 3
    assert sent.frames("a") == list(range(20, 30))


def test_people_who_move_are_where_they_would_be_between_detections(node: Site) -> None:
    def walking(time: float) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
        left = 20 + round(40 * time)
        return {(left, 20, left + 40, 140): RED}

    clip = Clip("a", times(60, fps=30), walking, fps=30.0)
    sent = node.run(clip, detector={"rate": 10})
    assert sum(node.detector.calls) == 20
    assert sent.frames("a") == list(range(60))
    boxes = np.concatenate([unpack(m.boxes) for m in sent.observations])
    expected = [20 + 40 * frame / 30 for frame in range(60)]
    # The speed is known from the second detection on.
    assert np.abs(boxes[12:, 0] - expected[12:]).max() < 2
    assert {track for _, track in sent.rows("a")} == {1}


def test_one_embedder_call_serves_the_crops_of_all_cameras(node: Site) -> None:
    node.run(
        Clip("a", times(11)),
        Clip("b", times(11), {LEFT: BLUE, RIGHT: GREEN}),
        reid={"spacing_s": 0.5},
        detector={"batch": 2},
    )
    assert node.embedder is not None
    # Two spells are over while frames come; the third ends with each camera.
    assert node.embedder.calls == [3, 3, 1, 2]


def test_a_crop_is_embedded_before_its_track_is_closed(node: Site) -> None:
    def passing(time: float) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
        return {BOX: GREEN} if time < 0.35 else {}

    (closed,) = node.run(Clip("a", times(40), passing)).closed("a")
    np.testing.assert_allclose(unpack(closed.exemplars), [(0, 1, 0)])
    assert (closed.start, closed.end, closed.count) == (0.0, 0.3, 4)
    assert closed.at < 3.0


def test_tracks_within_one_batch_are_sent_complete(node: Site) -> None:
    def passing(time: float) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
        return {BOX: GREEN if time < 5 else BLUE} if time % 5 < 0.65 else {}

    sent = node.run(Clip("a", times(100), passing), detector={"batch": 100})
    assert node.detector.calls == [100]
    first, second = sent.closed("a")
    assert (first.track_id, second.track_id) == (1, 2)
    np.testing.assert_allclose(unpack(first.exemplars), [(0, 1, 0)] * 2)
    np.testing.assert_allclose(unpack(second.exemplars), [(1, 0, 0)] * 2)


def test_messages_are_sent_at_the_end_of_each_period_and_of_the_camera(node: Site) -> None:
    sent = node.run(Clip("a", times(25)), association={"interval_s": 1.0}, detector={"batch": 1})
    assert [(m.timestamp, m.ended) for m in sent.watermarks] == [
        (1.0, False),
        (2.0, False),
        (pytest.approx(2.4), True),
    ]
    assert sent.watermarks[-1].timestamp > 2.4
    # The frame on the border belongs to the period that begins there.
    assert [list(unpack(m.frame_index)) for m in sent.observations] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 25)),
    ]
    revisions = [(m.track_id, m.revision, m.closed, m.at) for m in sent.tracklets]
    end = sent.watermarks[-1].timestamp
    assert revisions == [(1, 1, False, 1.0), (1, 2, False, 2.0), (1, 3, True, end)]


def test_a_camera_that_ends_at_the_end_of_a_period_ends_after_it(node: Site) -> None:
    sent = node.run(Clip("a", times(11)), detector={"batch": 1})
    assert [(m.timestamp, m.ended) for m in sent.watermarks] == [
        (1.0, False),
        (pytest.approx(1.0), True),
    ]
    assert sent.watermarks[1].timestamp > 1.0


def test_without_people_only_watermarks_are_sent(node: Site) -> None:
    sent = node.run(Clip("a", times(15), {}))
    assert sent.observations == []
    assert sent.tracklets == []
    assert [m.ended for m in sent.watermarks] == [False, True]


def test_a_camera_without_frames_ends_and_does_not_delay_others(node: Site) -> None:
    clip = Clip("a", times(30), {BOX: RED})
    sent = node.run(Clip("broken", [], fault="no frame could be read"), clip)
    broken = sent.camera("broken")
    assert (broken.frames, broken.state, broken.detail) == (0, "partial", "no frame could be read")
    assert (broken.start, broken.end) == (0.0, 0.0)
    assert [m.ended for m in sent.watermarks if m.camera_id == "broken"] == [True]
    config = config_of([clip], {})
    AssociatorService(node.bus, association_of(config), ["broken", "a"]).run(threading.Event())
    answers = [d.message for d in node.bus.read(RECORDER, "1", [IDENTITIES], 0.01)]
    kinds = [getattr(answer, "kind", "end") for answer in answers]
    assert kinds == ["assigned", "confirmed", "end"]


def test_cameras_without_frames_end(node: Site) -> None:
    sent = node.run(Clip("a", []), Clip("b", []))
    assert [m.ended for m in sent.watermarks] == [True, True]
    assert sent.camera("a").state == "complete"
    AssociatorService(node.bus, association_of(SiteConfig()), ["a", "b"]).run(threading.Event())


def test_a_fault_of_the_source_makes_the_camera_partial(node: Site) -> None:
    sent = node.run(Clip("a", times(3), fault="truncated: 3 of 9 frames could be read"))
    camera = sent.camera("a")
    assert (camera.state, camera.frames) == ("partial", 3)
    assert camera.detail == "truncated: 3 of 9 frames could be read"


def test_when_stopped_everything_processed_is_sent(node: Site) -> None:
    stop = threading.Event()
    node.detector = ColourDetector(lambda number: stop.set() if number == 3 else None)
    sent = node.run(Clip("short", times(2)), Clip("long", times(100)), stop=stop)
    # Three batches of four: 2 frames of one and 10 of the other.
    assert sent.frames("long") == list(range(10))
    long = sent.camera("long")
    assert (long.state, long.detail) == ("partial", "stopped before its end")
    assert (long.frames, long.end) == (10, 0.9)
    assert sent.camera("short").state == "complete"
    assert [m.camera_id for m in sent.watermarks if m.ended] == ["short", "long"]
    (closed,) = sent.closed("long")
    assert len(unpack(closed.exemplars)) == 2


def test_a_camera_at_its_end_when_stopped_is_complete(node: Site) -> None:
    stop = threading.Event()
    node.detector = ColourDetector(lambda number: stop.set())
    # The fifth frame is taken after the end of the short camera was seen.
    clips = Clip("short", times(2)), Clip("long", times(100))
    sent = node.run(*clips, stop=stop, detector={"batch": 5})
    assert node.detector.calls == [5]
    assert sent.camera("short").state == "complete"
    assert sent.camera("long").detail == "stopped before its end"


def test_stopped_before_the_first_frame(node: Site) -> None:
    stop = threading.Event()
    stop.set()
    sent = node.run(Clip("a", times(5)), stop=stop)
    assert node.detector.calls == []
    assert (sent.camera("a").frames, sent.camera("a").state) == (0, "partial")
    assert [m.ended for m in sent.watermarks] == [True]


def test_recorded_detections_with_embeddings_need_no_network(node: Site) -> None:
    node.embedder = None
    sent = node.run(Recorded("a", times(12), embedding=(0.6, 0.8)))
    assert node.detector.calls == []
    (closed,) = sent.closed("a")
    np.testing.assert_allclose(unpack(closed.exemplars), [(0.6, 0.8)] * 3, rtol=1e-3)
    assert closed.thumbnail is None


def test_recorded_detections_without_embeddings_have_no_exemplars(node: Site) -> None:
    sent = node.run(Recorded("a", times(12)))
    assert sent.frames("a") == list(range(12))
    (closed,) = sent.closed("a")
    assert unpack(closed.exemplars).shape == (0, 0)
    assert node.embedder is not None
    assert node.embedder.calls == []


def test_a_single_box_does_not_define_the_size_of_the_picture(node: Site) -> None:
    (closed,) = node.run(Recorded("a", times(3), embedding=(1.0, 0.0))).closed("a")
    # As good as a box in the middle of the picture: 120 of 128 pixels high, a score of 0.9.
    assert unpack(closed.qualities) == pytest.approx([120 / 128 * 0.9**0.5])


def test_videos_and_recorded_detections_can_be_combined(node: Site) -> None:
    sent = node.run(Recorded("a", times(6), embedding=(0, 0, 1)), Clip("b", times(6), {BOX: BLUE}))
    for camera_id, embedding in (("a", (0, 0, 1)), ("b", (1, 0, 0))):
        assert sent.frames(camera_id) == list(range(6))
        (closed,) = sent.closed(camera_id)
        np.testing.assert_allclose(unpack(closed.exemplars)[0], embedding)
    assert sum(node.detector.calls) == 6


def test_with_embeddings_for_the_tracker_everything_is_embedded_once(node: Site) -> None:
    sent = node.run(
        Clip("a", times(6), {LEFT: RED, RIGHT: GREEN}),
        Clip("empty", times(6), {}),
        Recorded("r", times(6), embedding=(0, 1, 0)),
        tracker={"embeddings": True},
        detector={"batch": 3},
    )
    assert node.embedder is not None
    assert sum(node.embedder.calls) == 12
    appearances = {tuple(np.round(unpack(m.exemplars)[0], 3)) for m in sent.closed("a")}
    assert appearances == {(0, 0, 1), (0, 1, 0)}
    assert len(sent.closed("r")) == 1


def test_without_an_embedder_there_are_tracks_without_exemplars(node: Site) -> None:
    node.embedder = None
    (closed,) = node.run(Clip("a", times(5))).closed("a")
    assert len(unpack(closed.exemplars)) == 0


def test_ground_points_above_the_horizon_are_unknown(node: Site) -> None:
    # The ground at y metres is at image row 100 + 100 / y: the horizon is at row 100.
    calibration = {"homography": [[1, 0, 0], [0, 100, 100], [0, 1, 0]]}
    near, far = (20, 20, 60, 140), (120, 10, 150, 95)
    sent = node.run(
        Clip("a", times(3), {near: RED, far: GREEN}),
        Clip("uncalibrated", times(3)),
        cameras={"a": {"source": "x.mp4", "calibration": calibration}},
    )
    grounds = {m.camera_id: m.ground for m in sent.observations}
    assert grounds["uncalibrated"] is None
    assert grounds["a"] is not None
    points = unpack(grounds["a"]).reshape(3, 2, 2)
    seen = np.isfinite(points).all(axis=2)
    assert (seen.sum(axis=1) == 1).all()
    np.testing.assert_allclose(points[seen][:, 1], 2.5)


def test_thumbnails_are_sent_where_there_is_no_run_directory(node: Site, tmp_path: Path) -> None:
    (closed,) = node.run(Clip("a", times(12)), send_thumbnails=True).closed("a")
    assert closed.thumbnail == "thumbnails/a/1.jpg"
    assert closed.picture is not None
    picture = cv2.imdecode(np.frombuffer(closed.picture, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(picture.mean(axis=(0, 1)), RED, atol=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [True, False])
def test_thumbnails_only_when_asked_for(node: Site, tmp_path: Path, kept: bool) -> None:
    folder = tmp_path / "run" / "thumbnails"
    sent = node.run(Clip("a", times(12)), thumbnails=folder if kept else None)
    (closed,) = sent.closed("a")
    assert closed.thumbnail == ("thumbnails/a/1.jpg" if kept else None)
    if kept:
        picture = cv2.imread(str(folder.parent / "thumbnails/a/1.jpg"))
        np.testing.assert_allclose(picture.mean(axis=(0, 1)), RED, atol=3)
    else:
        assert list(tmp_path.iterdir()) == []


def test_an_error_ends_the_node_and_its_threads(node: Site) -> None:
    def broken(number: int) -> None:
        raise ZeroDivisionError

    node.detector = ColourDetector(broken)
    with pytest.raises(ZeroDivisionError):
        node.run(Clip("one-that-fails", times(1000)))
    names = {thread.name for thread in threading.enumerate()}
    assert "decode-one-that-fails" not in names


def test_a_source_that_fails_is_raised(node: Site) -> None:
    class Failing(Clip):
        def frames(self) -> Callable[..., object]:  # type: ignore[override]
            raise KeyError("an internal error")

    with pytest.raises(KeyError, match="an internal error"):
        node.run(Failing("a", []))


def test_a_recording_that_starts_later_does_not_delay_the_others(node: Site) -> None:
    sent = node.run(Clip("early", times(25)), Clip("late", times(5, start=1000.0)))
    late = [m for m in sent.all if getattr(m, "camera_id", "") == "late"]
    # Before its first frame it times_sent that nothing of it came so far.
    times_sent = [m.timestamp for m in late if isinstance(m, WatermarkMessage)]
    assert times_sent[:2] == [1.0, 2.0]
    first = next(m for m in late if isinstance(m, TrackletMessage))
    assert first.at >= 1000.0
    assert sent.camera("late").start == 1000.0


def test_a_recording_does_not_advance_a_live_camera(node: Site) -> None:
    live = Clip("live", times(3, start=5.0))
    live.live = True
    sent = node.run(Clip("file", times(30)), live)
    assert all(m.timestamp >= 5.0 for m in sent.watermarks if m.camera_id == "live")


def encoded(sent: Sent) -> list[bytes]:
    return [encode(message) for message in sent.all]


@pytest.mark.parametrize("batches", [1, 3, 6])
def test_a_node_that_is_killed_and_started_again_sends_the_same(
    redis_url: str, site: str, batches: int
) -> None:
    def clips() -> list[Source]:
        return [Clip("a", times(35)), Clip("b", times(35), {LEFT: BLUE, RIGHT: GREEN})]

    def killed(number: int) -> None:
        if number == 3 * batches:
            raise KilledError

    undisturbed = Site(redis_url, f"{site}.calm").run(*clips())
    node = Site(redis_url, site)
    for detector in (ColourDetector(killed), ColourDetector(killed)):
        node.detector = detector
        with pytest.raises(KilledError):
            node.run(*clips())
    node.detector = ColourDetector()
    assert encoded(node.run(*clips())) == encoded(undisturbed)
    # Once more, after the end: there is nothing to do.
    node.detector = ColourDetector()
    assert node.run(*clips()).all == []
    assert node.detector.calls == []


class Paced(ColourDetector):
    """A detector for a live camera that delivers a frame only once the detector has capacity.

    It dies after ``last`` frames.
    """

    def __init__(self, last: int = 10**6) -> None:
        super().__init__()
        self._free = threading.Semaphore(4)
        self._last = last

    def detect(self, pictures: Sequence[FramePicture | Image]) -> list[Detections]:
        found = super().detect(pictures)
        if sum(self.calls) > self._last:
            self._free.release(1000)
            raise KilledError
        self._free.release(len(pictures))
        return found

    def clip(self, start: float) -> Clip:
        free = self._free

        class Live(Clip):
            live = True

            def frames(self) -> Iterator[Frame]:
                for frame in super().frames():
                    free.acquire()
                    yield frame

        return Live("a", times(35, start=start))


def test_a_live_camera_continues_with_new_tracks_after_its_node_was_killed(node: Site) -> None:
    node.detector = dying = Paced(last=25)
    with pytest.raises(KilledError):
        node.run(dying.clip(0.0))
    first = node.sent()
    sent = len(first.frames("a"))
    assert first.rows("a") == [(index, 1) for index in range(sent)]
    assert sent >= 11
    node.detector = living = Paced()
    second = node.run(living.clip(100.0))
    # The track that was open is ended with what was known, before anything new.
    closed = second.tracklets[0]
    assert (closed.track_id, closed.closed, closed.end) == (1, True, first.tracklets[-1].end)
    assert closed.revision == first.tracklets[-1].revision + 1
    assert second.rows("a") == [(sent + index, 2) for index in range(35)]
    assert {m.track_id for m in second.closed("a")} == {1, 2}
    assert second.camera("a").start == 0.0
    marks = [m.timestamp for m in (*first.watermarks, *second.watermarks)]
    assert marks == sorted(set(marks))


def test_a_node_waits_for_a_full_redis_and_loses_nothing(redis_url: str, site: str) -> None:
    undisturbed = Site(redis_url, f"{site}.calm").run(Clip("a", times(35)))
    refused: list[bool] = []

    class Full(Bus):
        """Redis refuses a few writes, then has memory again."""

        def publish(self, *args: Any) -> bool:
            with redis.Redis.from_url(redis_url) as client:
                client.config_set("maxmemory", 0 if len(refused) % 3 == 2 else 1)
                refused.append(True)
                try:
                    return super().publish(*args)
                finally:
                    client.config_set("maxmemory", 0)

    node = Site(redis_url, site)
    node.bus = Full(redis_url, site)
    assert encoded(node.run(Clip("a", times(35)))) == encoded(undisturbed)
    assert len(refused) == 12
