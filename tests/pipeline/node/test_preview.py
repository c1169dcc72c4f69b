"""Live pictures of a node for viewers, on a real Redis with a fake clock."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fakes import BOX, RED, found, scene
from pipeline.bus import pictures
from pipeline.bus.pictures import KINDS, Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.config.schema import ApiConfig
from pipeline.monitoring.watch import Watch
from pipeline.monitoring.web import stalled_reason
from pipeline.node import preview
from pipeline.node.preview import PreviewFrame, Previews, encode_preview
from pipeline.sources import RecordedFrame
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from trackers.detections import no_detections

TRACKED = replace(found([BOX]), track_ids=np.array([3], np.int64))


def frame(index: int, size: tuple[int, int] | None = None, camera_id: str = "gate") -> Frame:
    image = scene({BOX: RED})
    image = image if size is None else np.asarray(cv2.resize(image, size), np.uint8)
    return Frame(camera_id, index, index / 10, BgrPicture(image))


def decoded(jpeg: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


class Node:
    """Previews of one camera, with a clock that is set by hand."""

    def __init__(self, bus: Bus, **settings: object) -> None:
        self.now = 100.0
        self.bus = bus
        config = ApiConfig.model_validate(settings)
        self.previews = Previews(bus, config, "none", lambda: self.now)

    def update(self, index: int) -> None:
        self.previews.update(frame(index), found([BOX]), TRACKED)

    def latest(self, kind: PictureKind = "small") -> float | None:
        picture = pictures.newer(self.bus, {"gate": None}, kind).get("gate")
        return picture and picture.timestamp


@pytest.fixture
def node(redis_url: str, site: str) -> Node:
    return Node(Bus(redis_url, site))


def test_nothing_is_published_without_viewers(node: Node) -> None:
    for index in range(3):
        node.update(index)
        node.previews.step()
        node.now += 1
    assert [node.latest(kind) for kind in KINDS] == [None] * 4


def test_a_viewer_gets_the_latest_frame_of_the_requested_kind(node: Node) -> None:
    node.update(0)
    pictures.request(node.bus, ["gate"], "small")
    node.previews.step()
    node.update(1)
    node.update(2)
    node.previews.step()
    assert [node.latest(kind) for kind in KINDS] == [None, None, 0.2, None]


def test_a_node_polls_for_viewers_once_a_second(node: Node) -> None:
    node.update(0)
    node.previews.step()
    pictures.request(node.bus, ["gate"], "small")
    node.now += 0.99
    node.previews.step()
    node.update(1)
    node.previews.step()
    assert node.latest() is None
    node.now += 0.01
    node.previews.step()
    node.update(2)
    node.previews.step()
    assert node.latest() == 0.2


@pytest.mark.parametrize(("kind", "every_s"), [("small", 0.25), ("full", 1.0)])
def test_pictures_come_at_a_bounded_rate(
    redis_url: str, site: str, kind: PictureKind, every_s: float
) -> None:
    node = Node(Bus(redis_url, site), preview_fps=4)
    node.update(0)
    pictures.request(node.bus, ["gate"], kind)
    node.previews.step()
    node.update(1)
    node.previews.step()
    node.update(2)
    node.now += every_s - 0.01
    node.previews.step()
    assert node.latest(kind) == 0.1
    node.now += 0.01
    node.previews.step()
    assert node.latest(kind) == 0.2


def test_the_same_frame_is_sent_again_only_before_it_expires(node: Node) -> None:
    node.update(0)
    pictures.request(node.bus, ["gate"], "small")
    node.previews.step()
    node.update(1)
    node.previews.step()
    pictures.publish(node.bus, "gate", "small", Picture(9.0, b"ours"))
    node.now += 1.9
    node.previews.step()
    assert node.latest() == 9.0
    node.now += 0.2
    node.previews.step()
    assert node.latest() == 0.1


def test_a_slow_camera_has_its_last_picture(node: Node) -> None:
    """Its frame came long before there was a viewer."""
    node.update(0)
    node.previews.step()
    node.now += 3600
    pictures.request(node.bus, ["gate"], "full")
    node.previews.step()
    node.now += 0.9
    node.previews.step()
    assert node.latest("full") is None  # a newer one may come
    node.now += 0.1
    node.previews.step()
    assert node.latest("full") == 0.0


def test_a_removed_camera_leaves_nothing_behind(node: Node) -> None:
    node.update(0)
    pictures.request(node.bus, ["gate"], "full")
    node.previews.step()
    node.previews.remove("gate")
    node.now += 1
    node.previews.step()
    assert (node.previews._latest, node.previews._requested, node.previews._sent) == ({}, set(), {})


def test_a_failing_picture_is_logged_once_and_ends_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> bytes:
        raise ZeroDivisionError("a bug")

    pictures.request(node.bus, ["gate"], "small")
    node.previews.step()
    node.update(0)
    node.previews.step()
    node.now += 1
    pictures.request(node.bus, ["gate"], "small")
    node.previews.step()
    node.update(0)
    with monkeypatch.context() as patched:
        patched.setattr(preview, "encode_preview", broken)
        for _ in range(3):
            node.previews._step_or_log()
    assert [record.getMessage() for record in caplog.records] == ["a picture for viewers failed"]
    node.previews._step_or_log()
    assert node.latest() == 0.0


def test_a_hanging_thread_is_seen_by_the_health_check(
    redis_url: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on, now = threading.Event(), threading.Event(), [0.0]

    def hang(self: Previews) -> float:
        hangs.set()
        goes_on.wait()
        return 0.0

    watch = Watch(ticks=lambda: now[0])
    with Bus(redis_url, site) as bus, monkeypatch.context() as patched:
        patched.setattr(Previews, "step", hang)
        previews = Previews(bus, ApiConfig(), "none", watch=watch)
        previews.start()
        hangs.wait()
        now[0] = 60.0
        assert stalled_reason(watch, 60.0) == "the previews made no step for 60 s"
        goes_on.set()
        previews.close()
    assert stalled_reason(watch, 60.0) == ""


def test_recorded_detections_have_no_pictures(node: Node) -> None:
    pictures.request(node.bus, ["gate"], "small")
    node.previews.update(RecordedFrame("gate", 0, 0.0, found([BOX])), found([BOX]), TRACKED)
    node.previews.step()
    assert node.latest() is None


def test_without_pictures_in_the_configuration_no_thread_polls(redis_url: str, site: str) -> None:
    node = Node(Bus(redis_url, site), pictures=False)
    node.previews.start()
    node.previews.close()
    assert not node.previews._thread.is_alive()
    assert node.previews._thread.ident is None


def test_a_full_picture_has_the_size_of_the_frame_and_a_small_one_less() -> None:
    preview = PreviewFrame(frame(0, (400, 200)), found([BOX]), TRACKED)
    assert decoded(encode_preview(preview, "full", 100, "none")).shape == (200, 400, 3)
    assert decoded(encode_preview(preview, "small", 100, "none")).shape == (50, 100, 3)
    assert decoded(encode_preview(preview, "small", 400, "none")).shape == (200, 400, 3)


def test_boxes_are_drawn_on_a_copy_and_only_when_asked() -> None:
    preview = PreviewFrame(frame(0), found([BOX]), TRACKED)
    before = preview.frame.image.copy()
    plain = decoded(encode_preview(preview, "full", 960, "none"))
    boxed = decoded(encode_preview(preview, "full-boxes", 960, "none"))
    other = decoded(encode_preview(replace(preview, track_id_offset=4), "full-boxes", 960, "none"))
    assert np.array_equal(preview.frame.image, before)
    edge = boxed[20:140, 100].astype(int) - plain[20:140, 100].astype(int)
    assert np.abs(edge).mean() > 30
    # Another track has another number and colour.
    assert np.abs(boxed.astype(int) - other.astype(int)).max() > 30


@pytest.mark.parametrize("tracked", [TRACKED, no_detections()], ids=["tracked", "only detected"])
def test_all_people_are_blurred_before_a_picture_leaves_the_node(tracked: object) -> None:
    image = scene({BOX: RED})
    image[20:140:2, 60:100] = (0, 200, 0)  # A pattern that blurring removes.
    preview = PreviewFrame(Frame("gate", 0, 0.0, BgrPicture(image)), found([BOX]), tracked)  # type: ignore[arg-type]
    inside = np.s_[40:120, 70:90]
    sharp = decoded(encode_preview(preview, "full", 960, "none"))[inside].astype(float)
    blurred = decoded(encode_preview(preview, "full", 960, "bodies"))[inside].astype(float)
    assert sharp.std(axis=0).mean() > 4 * blurred.std(axis=0).mean()
