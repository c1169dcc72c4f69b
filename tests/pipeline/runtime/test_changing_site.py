"""Cameras of a running site are added, removed and changed; others are unaffected."""

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
from pipeline.runtime.reload import Difference, Reload, SiteFile, open_change
from pipeline.sources.open import open_sources
from rtsp_cameras import Cameras, clip_mount, h264_clip, missing_server
from trackers.detections import Detections

pytestmark = pytest.mark.skipif(bool(missing_server()), reason=missing_server())

_TIMEOUT_S = 600.0
LIVE = {"retry_s": 0.1, "retry_max_s": 0.3, "open_timeout_s": 3, "read_timeout_s": 3}
# A slow machine drops frames: no gap is so long that a track ends in it.
LOW = {
    "association": {"interval_s": 0.2, "gallery_s": 1800.0},
    "tracker": {"buffer_s": 300.0},
}


class OnePersonEverywhere:
    """Finds one person in every picture."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        return [found([BOX]) for _ in images]

    def start(self, images: list[NDArray[np.uint8]]) -> Callable[[], list[Detections]]:
        return lambda: self.detect(images)


class Site:
    """A running node that follows a site file, and the messages it sent."""

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
            detector=OnePersonEverywhere(),
            embedder=None,
            on_frames=self.frames.__setitem__,
            changes=self.changes,
        )

        def run() -> None:
            with suppress(KilledError):
                node.run(self.stop)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def apply(self, wanted: Difference) -> None:
        change = open_change(wanted)
        self.changes.put(change)
        assert change.done.wait(_TIMEOUT_S)

    def reconfigure(self, **cameras: str) -> None:
        """Write the file and reload it; frames are counted from then on."""
        self.write(**cameras)
        self.reload.poll(requested=True)
        self.frames.clear()

    def until_seen(self, *names: str, frames: int = 12) -> None:
        """Wait for some frames of each camera since the last change."""
        self.until(lambda: all(self.frames.get(name, 0) >= frames for name in names))

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not true():
            assert self.thread is not None
            assert self.thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> None:
        self.stop.set()
        if self.thread is not None:
            self.thread.join(_TIMEOUT_S)
            assert not self.thread.is_alive()
        self.read()

    def read(self) -> list[Message]:
        streams = (OBSERVATIONS, TRACKLETS)
        deliveries = self.bus.read(RECORDER, "1", streams, 0.01, 10_000)
        self.messages += [d.message for d in deliveries if d.message is not None]
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
        """Whether the last state sent of a camera is removed."""
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


def test_cameras_are_added_changed_and_removed_without_affecting_others(
    running: Site, addresses: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = (addresses[name] for name in "abc")
    running.write(stays=a)
    running.start()
    running.until_seen("stays")
    (stays,) = running.sources
    running.reconfigure(stays=a, other=b)
    running.until_seen("stays", "other")
    running.reconfigure(stays=a, other=c)
    running.until_seen("stays", "other")
    running.path.write_text("cameras: {stays: {sauce: 1}}")
    running.reload.poll(requested=True)
    running.reconfigure(stays=a)
    running.until(lambda: running.removed("other"))
    running.until_seen("stays")
    running.end()
    # One connection, one track, and consecutive frames.
    assert stays.status.connections == 1  # type: ignore[attr-defined]
    assert running.tracks("stays") == [1]
    times, indexes, _ = zip(*running.rows("stays"), strict=True)
    assert sorted(set(indexes)) == list(indexes)
    assert running.camera("stays").state == "complete"
    # Neither track ids nor frame indices are reused.
    assert running.tracks("other") == [1, 2]
    frames = [frame for _, frame, _ in running.rows("other")]
    assert frames == sorted(set(frames))
    closed = [m.track_id for m in running.of(TrackletMessage, "other") if m.closed]
    assert closed == [1, 2]
    assert [m.ended for m in running.of(WatermarkMessage, "other") if m.ended] == [True, True]
    assert len(running.of(JoinMessage, "other")) == 2
    gone = running.camera("other")
    assert (gone.state, gone.detail) == ("removed", "")
    assert gone.removed == pytest.approx(times[-1], abs=_TIMEOUT_S)
    assert [line for line in caplog.messages if "other" in line or "sauce" in line] == [
        "site.yaml: added other",
        "site.yaml: changed other",
        f"{running.path}: unknown key 'cameras.stays.sauce'. Did you mean 'source'?. "
        "The site continues unchanged",
        "site.yaml: removed other",
    ]


def test_a_site_without_a_camera_waits_for_one(running: Site, addresses: dict[str, str]) -> None:
    running.write()
    running.start()
    running.reconfigure(a=addresses["a"])
    running.until_seen("a")
    running.reconfigure()
    running.until(lambda: running.removed("a"))
    running.reconfigure(b=addresses["b"])
    running.until_seen("b")
    running.end()
    assert running.camera("a").state == "removed"
    nodes = [m.open for m in running.messages if isinstance(m, NodeMessage)]
    assert (nodes[0], nodes[-1], set(nodes[:-1])) == (True, False, {True})
    # An associator with no configured camera processes all of them and ends.
    config = SiteConfig()
    AssociatorService(running.bus, association_of(config), []).run(threading.Event())


def test_a_restarted_node_ends_cameras_removed_meanwhile(
    redis_url: str, site: str, tmp_path: Path, addresses: dict[str, str]
) -> None:
    class KilledBus(Bus):
        """Once dead, nothing is published any more."""

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
    first.thread.join(_TIMEOUT_S)
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


def test_an_invalid_address_is_refused_but_not_an_unreachable_one(
    running: Site, addresses: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    running.write(stays=addresses["a"])
    running.start()
    running.until_seen("stays")
    running.reconfigure(stays=addresses["a"], wrong="gopher://bob:secret@h/1")
    running.reconfigure(stays=addresses["a"], mute="rtsp://bob:secret@127.0.0.1:9/1")
    running.until_seen("stays")
    running.end()
    assert running.camera("mute").state == "partial"
    assert {m.camera_id for m in running.messages if isinstance(m, JoinMessage)} == {
        "stays",
        "mute",
    }
    assert "secret" not in caplog.text
    assert "The site continues unchanged" in caplog.text
