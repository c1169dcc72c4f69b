"""Cameras of a running site that come, go and change, on real streams; the others never notice."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from buses import KilledError
from fakes import BOX, found
from pipeline.associator.associator import AssociatorService
from pipeline.associator.open import association_of
from pipeline.bus.keys import OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    JoinMessage,
    Message,
    NodeMessage,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    unpack,
)
from pipeline.bus.streams import Bus
from pipeline.config.load import load_config
from pipeline.config.schema import SiteConfig
from pipeline.node.changes import SiteChanges
from pipeline.node.node import Node
from pipeline.run_directory.schema import CameraRecord
from pipeline.runtime.assemble import check_settings
from pipeline.runtime.reload import Difference, Reload, SiteFile, opened
from pipeline.sources.open import open_sources
from rtsp_cameras import Cameras, clip_mount, h264_clip, missing_server
from trackers.detections import Detections

pytestmark = pytest.mark.skipif(bool(missing_server()), reason=missing_server())

_PATIENCE_S = 600.0
LIVE = {"retry_s": 0.1, "retry_max_s": 0.3, "open_timeout_s": 3, "read_timeout_s": 3}
# A slow machine drops frames: no gap is so long that a track ends in it.
LOW = {"association": {"interval_s": 0.2}, "tracker": {"buffer_s": 600.0}}


class SomebodyEverywhere:
    """Finds one person in every picture."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        return [found([BOX]) for _ in images]


class Site:
    """A node at work that follows a file, and what it sent."""

    def __init__(self, url: str, name: str, path: Path) -> None:
        self.bus = Bus(url, name)
        self.bus.declare()
        self.path = path
        self.frames: dict[str, int] = {}
        self.messages: list[Message] = []
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None

    def write(self, **cameras: str) -> None:
        given = {name: {"source": address, "live": LIVE} for name, address in cameras.items()}
        self.path.write_text(yaml.safe_dump({"cameras": given, **LOW}))

    def start(self) -> None:
        config = load_config(self.path)
        self.changes = SiteChanges("n")
        file = SiteFile(self.path, lambda: load_config(self.path))
        self.reload = Reload(file, config, lambda wanted: check_settings(wanted, []), self.apply)
        self.sources = open_sources(config, more_may_come=True)
        node = Node(
            config,
            self.sources,
            self.bus,
            detector=SomebodyEverywhere(),
            embedder=None,
            on_frames=self.frames.__setitem__,
            changes=self.changes,
        )

        def work() -> None:
            with suppress(KilledError):
                node.run(self.stop)

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def apply(self, wanted: Difference) -> None:
        change = opened(wanted)
        self.changes.put(change)
        assert change.done.wait(_PATIENCE_S)

    def say(self, **cameras: str) -> None:
        """Write the file and have it read; frames are counted from then on."""
        self.write(**cameras)
        self.reload.look(asked=True)
        self.frames.clear()

    def until_seen(self, *names: str, frames: int = 12) -> None:
        """Wait for some frames of each; those of before the last change do not count."""
        self.until(lambda: all(self.frames.get(name, 0) >= frames for name in names))

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not true():
            assert self.thread is not None
            assert self.thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> None:
        self.stop.set()
        if self.thread is not None:
            self.thread.join(_PATIENCE_S)
            assert not self.thread.is_alive()
        self.read()

    def read(self) -> list[Message]:
        streams = (OBSERVATIONS, TRACKLETS)
        told = self.bus.read(RECORDER, "1", streams, 0.01, 10_000)
        self.messages += [d.message for d in told if d.message is not None]
        return self.messages

    def rows(self, name: str) -> list[tuple[float, int, int]]:
        """Time, frame and track of every observation."""
        return [
            (float(moment), int(frame), int(track))
            for m in self.messages
            if isinstance(m, ObservationsMessage) and m.camera_id == name
            for moment, frame, track in zip(
                *(unpack(column) for column in (m.timestamp, m.frame_index, m.track_id)),
                strict=True,
            )
        ]

    def tracks(self, name: str) -> list[int]:
        return list(dict.fromkeys(track for _, _, track in self.rows(name)))

    def removed(self, name: str) -> bool:
        """Whether it was said last that a camera is gone."""
        self.read()
        return self.camera(name).state == "removed"

    def of(self, kind: type, name: str) -> list[Any]:
        return [m for m in self.messages if isinstance(m, kind) and m.camera_id == name]

    def camera(self, name: str) -> CameraRecord:
        records = [m.camera for m in self.messages if isinstance(m, CameraMessage)]
        return [record for record in records if record.camera_id == name][-1]


@pytest.fixture
def running(redis_url: str, site: str, tmp_path: Path) -> Iterator[Site]:
    made = Site(redis_url, site, tmp_path / "site.yaml")
    yield made
    made.end()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Three cameras, each with a server of its own."""
    clip = h264_clip(tmp_path_factory.mktemp("clips") / "clip")
    with ExitStack() as stack:
        servers = {n: stack.enter_context(Cameras({f"/{n}": clip_mount(clip)})) for n in "abc"}
        yield {name: server.url(name) for name, server in servers.items()}


def test_cameras_come_change_and_go_and_one_that_stays_never_notices(
    running: Site, addresses: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = (addresses[name] for name in "abc")
    running.write(stays=a)
    running.start()
    running.until_seen("stays")
    (stays,) = running.sources
    running.say(stays=a, other=b)
    running.until_seen("stays", "other")
    running.say(stays=a, other=c)
    running.until_seen("stays", "other")
    running.path.write_text("cameras: {stays: {sauce: 1}}")
    running.reload.look(asked=True)
    running.say(stays=a)
    running.until(lambda: running.removed("other"))
    running.until_seen("stays")
    running.end()
    # One connection, one track, and frames that go on.
    assert stays.status.connections == 1  # type: ignore[attr-defined]
    assert running.tracks("stays") == [1]
    times, indexes, _ = zip(*running.rows("stays"), strict=True)
    assert sorted(set(indexes)) == list(indexes)
    assert running.camera("stays").state == "complete"
    # The number of a track is never given twice, nor that of a frame.
    assert running.tracks("other") == [1, 2]
    frames = [frame for _, frame, _ in running.rows("other")]
    assert frames == sorted(set(frames))
    closed = [m.track_id for m in running.of(TrackletMessage, "other") if m.closed]
    assert closed == [1, 2]
    assert [m.ended for m in running.of(WatermarkMessage, "other") if m.ended] == [True, True]
    assert len(running.of(JoinMessage, "other")) == 2
    gone = running.camera("other")
    assert (gone.state, gone.detail) == ("removed", "")
    assert gone.removed == pytest.approx(times[-1], abs=_PATIENCE_S)
    assert [line for line in caplog.messages if "other" in line or "sauce" in line] == [
        "site.yaml: added other",
        "site.yaml: changed other",
        f"{running.path}: unknown key 'cameras.stays.sauce'. Did you mean 'source'?. "
        "The site goes on as it was",
        "site.yaml: removed other",
    ]


def test_a_site_without_a_camera_waits_for_one(running: Site, addresses: dict[str, str]) -> None:
    running.write()
    running.start()
    running.say(a=addresses["a"])
    running.until_seen("a")
    running.say()
    running.until(lambda: running.removed("a"))
    running.say(b=addresses["b"])
    running.until_seen("b")
    running.end()
    assert running.camera("a").state == "removed"
    nodes = [m.open for m in running.messages if isinstance(m, NodeMessage)]
    assert (nodes[0], nodes[-1], set(nodes[:-1])) == (True, False, {True})
    # An associator that knows of no camera decides on all of them, and ends.
    config = SiteConfig()
    AssociatorService(running.bus, association_of(config), []).run(threading.Event())


def test_a_node_that_starts_again_ends_what_was_removed_meanwhile(
    redis_url: str, site: str, tmp_path: Path, addresses: dict[str, str]
) -> None:
    class KilledBus(Bus):
        """Redis hears nothing any more of a node that was killed."""

        dead = False

        def publish(self, *arguments: Any) -> bool:
            if self.dead:
                raise KilledError
            return super().publish(*arguments)

    first = Site(redis_url, site, tmp_path / "site.yaml")
    bus = first.bus = KilledBus(redis_url, site)
    first.write(stays=addresses["a"], goes=addresses["b"])
    first.start()
    first.until_seen("stays", "goes")
    bus.dead = True
    assert first.thread is not None
    first.thread.join(_PATIENCE_S)
    second = Site(redis_url, site, tmp_path / "site.yaml")
    second.write(stays=addresses["a"])
    second.start()
    second.until_seen("stays")
    second.end()
    assert second.tracks("goes") == [1]
    assert second.camera("goes").state == "removed"
    assert [m.ended for m in second.of(WatermarkMessage, "goes")][-1]
    assert all(m.closed for m in second.of(TrackletMessage, "goes")[-1:])
    tracks = second.tracks("stays")
    assert tracks == list(range(1, len(tracks) + 1))


def test_a_wrong_address_is_refused_and_one_that_does_not_answer_is_not(
    running: Site, addresses: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    running.write(stays=addresses["a"])
    running.start()
    running.until_seen("stays")
    running.say(stays=addresses["a"], wrong="gopher://bob:secret@h/1")
    running.say(stays=addresses["a"], mute="rtsp://bob:secret@127.0.0.1:9/1")
    running.until_seen("stays")
    running.end()
    assert running.camera("mute").state == "partial"
    assert {m.camera_id for m in running.messages if isinstance(m, JoinMessage)} == {
        "stays",
        "mute",
    }
    assert "secret" not in caplog.text
    assert "The site goes on as it was" in caplog.text
