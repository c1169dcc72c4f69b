"""Delay stays bounded while the machine is too slow for a stream, and disappears afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from pipeline.config.schema import LiveConfig
from pipeline.sources.camera_status import CameraStatus
from pipeline.sources.clock import CaptureClock
from pipeline.sources.connection import Connection
from pipeline.sources.live_reader import LiveReader

FPS, GOP = 25, 50
UNIT = Fraction(1, 1000)


@dataclass
class Packet:
    pts: int
    stream_index: int = 0
    size: int = 1
    dts: int | None = None
    is_corrupt: bool = False

    @property
    def is_keyframe(self) -> bool:
        return self.pts % (GOP * 1000 // FPS) == 0

    def has_sidedata(self, kind: str) -> bool:
        return False


@dataclass
class Stream:
    """A camera that captured frame n at n / FPS, and the machine that decodes it."""

    frames: int
    decode_s: float = 0.001
    held_up: tuple[float, float] = (0.0, 0.0)
    longer: tuple[float, float] = (1e9, 0.0)
    sound: bool = False
    now: float = 0.0
    decoded: list[int] = field(default_factory=list)
    damaged: frozenset[int] = frozenset()
    index: int = 0
    time_base: Fraction = UNIT
    thread_type: str = ""

    @property
    def codec_context(self) -> "Stream":
        return self

    def demux(self) -> Iterator[Packet]:
        for number in range(self.frames):
            taken = number / FPS + 0.01
            start, end = self.held_up
            came = end if start <= taken < end else taken
            came += self.longer[1] if taken >= self.longer[0] else 0.0
            self.now = max(self.now, came)
            yield Packet(number * 1000 // FPS)
        while self.sound:
            self.now += 0.02
            yield Packet(0, stream_index=1)

    def decode(self, packet: Packet) -> list[Packet]:
        self.now += self.decode_s
        self.decoded.append(packet.pts)
        packet.is_corrupt = packet.pts * FPS // 1000 in self.damaged
        return [packet]

    def flush_buffers(self) -> None:
        """Do nothing."""


def read(
    stream: Stream, shown_s: float = 0.001, slow_until: float = 1e9
) -> tuple[CameraStatus, LiveReader]:
    """Read ``stream`` with a consumer that takes ``shown_s`` per frame up to ``slow_until``."""
    clock = lambda: stream.now  # noqa: E731
    status = CameraStatus("a", LiveConfig(), clock)
    connection = Connection(stream, stream, recorded=False, bursts=False, timed=True)  # type: ignore[arg-type]
    reader = LiveReader(connection, CaptureClock("auto"), status, 5.0, clock)
    for timestamp, frame in reader.frames():
        shown.append((timestamp, stream.now - frame.pts / 1000))
        stream.now += shown_s if stream.now < slow_until else 0.001
    return status, reader


shown: list[tuple[float, float]] = []


@pytest.fixture(autouse=True)
def nothing_shown_yet() -> None:
    shown.clear()


def test_a_fast_machine_delivers_every_frame() -> None:
    status, reader = read(Stream(200))
    assert len(shown) == status.frames == 200
    assert status.dropped == 0
    assert (reader.end_reason, reader.interrupted) == ("the camera closed the stream", False)


def test_too_slow_to_consume_every_frame() -> None:
    status, _ = read(Stream(2000), shown_s=0.1)
    assert 300 < len(shown) < 1000
    assert max(delay for _, delay in shown) < 1.2
    assert status.dropped == 2000 - len(shown)


def test_too_slow_even_to_decode() -> None:
    stream = Stream(4000, decode_s=0.06)
    status, _ = read(stream)
    assert len(shown) > 500
    assert max(delay for _, delay in shown) < 1.2
    assert len(stream.decoded) < 4000
    assert status.dropped == 4000 - len(shown)


def test_once_the_machine_is_fast_again_there_is_no_delay() -> None:
    read(Stream(2000), shown_s=0.1, slow_until=40.0)
    assert max(delay for timestamp, delay in shown if timestamp > 45) < 0.02


def test_frames_delayed_briefly_by_the_network_are_delivered() -> None:
    status, _ = read(Stream(500, held_up=(10.0, 10.9)))
    assert len(shown) == 500
    assert status.dropped == 0


def test_frames_delayed_for_long_are_decoded_but_not_delivered() -> None:
    stream = Stream(500, held_up=(10.0, 12.5))
    status, _ = read(stream)
    assert len(stream.decoded) == 500
    assert max(delay for _, delay in shown[1:]) < 2.6
    assert status.dropped == pytest.approx(1.5 * FPS, abs=3)


def test_a_longer_network_delay_is_not_a_backlog() -> None:
    stream = Stream(500, longer=(10.0, 1.5))
    status, _ = read(stream)
    assert status.dropped == 0


def test_damaged_frames_are_counted_and_not_delivered() -> None:
    status, _ = read(Stream(100, damaged=frozenset({10, 11, 99})))
    assert (len(shown), status.damaged, status.dropped) == (97, 3, 0)


def test_audio_does_not_hide_missing_video() -> None:
    _, reader = read(Stream(10, sound=True))
    assert reader.interrupted
    assert reader.end_reason == "no frame for 5.0 s"


def test_an_overloaded_node_gets_keyframes_that_alone_are_decoded() -> None:
    stream = Stream(frames=4 * GOP)
    status = CameraStatus("a", LiveConfig(), lambda: stream.now)
    status.spacing_s = 1.0
    connection = Connection(stream, stream, recorded=False, bursts=False, timed=True)  # type: ignore[arg-type]
    reader = LiveReader(connection, CaptureClock("arrival"), status, 5.0, lambda: stream.now)
    times = []
    for timestamp, _ in reader.frames():
        times.append(timestamp)
        if len(times) == 3:
            status.spacing_s = 0.5  # less overloaded
    keyframes = [number * 1000 // FPS for number in range(0, 3 * GOP, GOP)]
    assert stream.decoded[:3] == keyframes
    # All frames from the last of these on.
    assert len(stream.decoded) == 2 + 2 * GOP
    assert status.received == 4 * GOP
