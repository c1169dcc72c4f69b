"""Live cameras on a real RTSP server, with the failures that occur on a site."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.config.schema import CameraConfig, LiveConfig
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.live import LiveSource
from pipeline.sources.source import Frame
from rtsp_cameras import (
    AUDIO,
    CLIP,
    FPS,
    LOSSY,
    VP8,
    Cameras,
    clip_mount,
    h264_clip,
    missing_gstreamer,
    missing_server,
    timeless_mount,
)
from videos import make_video, read_index

pytestmark = pytest.mark.skipif(bool(missing_server()), reason=missing_server())
full_server = pytest.mark.skipif(bool(missing_gstreamer()), reason=missing_gstreamer())

_PATIENCE_S = 600.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return h264_clip(tmp_path_factory.mktemp("clips") / "one")


@pytest.fixture
def cameras(clip: Path) -> Iterator[Cameras]:
    with Cameras({"/one": clip_mount(clip), "/two": clip_mount(clip)}) as served:
        yield served


def camera(address: str, **live: object) -> LiveSource:
    quick = {"open_timeout_s": 1.0, "read_timeout_s": 0.8, "late_s": 0.5, "buffer_s": 0.4}
    retry = {"retry_s": 0.1, "retry_max_s": 0.4}
    config = LiveConfig.model_validate({**quick, **retry, **live})
    return LiveSource("cam", address, CameraConfig(source=address, live=config))


class Reader(DecodeAhead):
    """Reads frames until a condition holds."""

    def until(self, enough: Callable[[list[Frame]], bool]) -> list[Frame]:
        frames: list[Frame] = []
        give_up = time.monotonic() + _PATIENCE_S
        while not enough(frames):
            assert time.monotonic() < give_up, self.phase()
            try:
                frame = self.get(0.05)
            except TimeoutError:
                continue
            assert isinstance(frame, Frame)
            frames.append(frame)
        return frames

    def frames(self, count: int) -> list[Frame]:
        return self.until(lambda frames: len(frames) >= count)

    def phase(self) -> tuple[str, str]:
        assert isinstance(self.source, LiveSource)
        phase = self.source.status.phase()
        return phase.state, phase.reason

    def until_state(self, state: str, words: str = "") -> list[Frame]:
        return self.until(lambda _: self.phase()[0] == state and words in self.phase()[1])


def error_s(frame: Frame) -> float:
    """Seconds from the capture of the frame to its timestamp."""
    off = (frame.timestamp * FPS - read_index(frame.image)) % CLIP
    return (off if off < CLIP / 2 else off - CLIP) / FPS


def steps(frames: list[Frame]) -> list[float]:
    return [b.timestamp - a.timestamp for a, b in pairwise(frames)]


@full_server
def test_the_clocks_of_two_cameras_of_one_server_agree(cameras: Cameras) -> None:
    one, two = camera(cameras.url("one")), camera(cameras.url("two"), transport="udp")
    with Reader(one, 999) as first, Reader(two, 999) as second:
        errors = [[error_s(f) for f in r.frames(4 * FPS)] for r in (first, second)]
    assert (one.timestamp_origin, two.timestamp_origin) == ("rtcp", "rtcp")
    # Arrival times at first, the camera's own later.
    assert max(map(abs, errors[0] + errors[1])) < 0.3
    assert max(map(abs, errors[0][-FPS:] + errors[1][-FPS:])) < 0.05


def test_arrival_timestamps_are_smooth(cameras: Cameras) -> None:
    source = camera(cameras.url("one"), clock="arrival")
    with Reader(source, 999) as reader:
        errors = [error_s(frame) for frame in reader.frames(3 * FPS)[FPS:]]
    assert source.timestamp_origin == "arrival"
    # A picture is sent when the next one begins, and decoded after it.
    assert 0 <= min(errors) < max(errors) < 0.25
    assert sorted(errors)[-5] - min(errors) < 0.03


def test_a_probe_learns_size_and_rate(cameras: Cameras) -> None:
    source = camera(cameras.url("one"))
    assert (source.width, source.height, source.fps) == (0, 0, 0)
    assert source.probe() is None
    assert (source.width, source.height, source.fps) == (64, 48, 25)


def test_a_camera_that_was_not_probed_learns_its_rate(cameras: Cameras) -> None:
    source = camera(cameras.url("one"))
    with Reader(source, 999) as reader:
        reader.frames(1)
        assert (source.width, source.height, source.fps) == (64, 48, 25)


@full_server
def test_faults_are_distinguished(clip: Path) -> None:
    mounts = {"/one": clip_mount(clip), "/audio": {"launch": AUDIO, "clip": "", "fps": 0}}
    with Cameras(mounts, password="s3cret") as cameras:
        faults = {
            cameras.url("one", "bob:wr0ng@"): "wrong user or password (401)",
            cameras.url("one"): "the camera requires a login (401)",
            cameras.url("two", "bob:s3cret@"): "the camera has no such stream (404)",
            cameras.url("audio", "bob:s3cret@"): "sends no usable video: only audio",
        }
        for address, words in faults.items():
            failed = camera(address).probe()
            assert failed is not None
            assert failed.permanent
            assert words in str(failed)
            assert "cret" not in str(failed)
            assert "wr0ng" not in str(failed)
        assert camera(cameras.url("one", "bob:s3cret@")).probe() is None


def test_a_server_that_is_killed_and_comes_back(cameras: Cameras) -> None:
    source = camera(cameras.url("one"))
    with Reader(source, 999) as reader:
        before = reader.frames(10)
        cameras.kill()
        before += reader.until_state("lost", "refused")
        cameras.start()
        began = time.time()
        after = reader.until_state("live") + reader.frames(10)
    assert after[0].timestamp - began < 3
    assert min(steps(before + after)) > 0
    assert source.status.connections == 2
    assert [frame.index for frame in before + after] == list(range(len(before + after)))


def test_a_pause_shorter_than_the_timeout_is_not_a_loss(cameras: Cameras) -> None:
    source = camera(cameras.url("one"), read_timeout_s=5.0, late_s=0.5)
    with Reader(source, 999) as reader:
        frames = reader.frames(2 * FPS)
        cameras.pause()
        frames += reader.until_state("stalled", "sends no frame")
        cameras.resume()
        frames += reader.until_state("live") + reader.frames(FPS)
    assert source.status.connections == 1
    assert min(steps(frames)) > 0


def test_a_long_pause_is_a_loss_until_it_ends(cameras: Cameras) -> None:
    source = camera(cameras.url("one"))
    with Reader(source, 999) as reader:
        reader.frames(10)
        cameras.pause()
        reader.until_state("lost", "no frame for")
        reader.until_state("lost", "no answer within 1 s")
        cameras.resume()
        reader.until_state("live")


@full_server
def test_a_password_that_changes(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Cameras({"/one": clip_mount(clip)}, password="s3cret") as cameras:
        source = camera(cameras.url("one", "bob:s3cret@"))
        with Reader(source, 999) as reader:
            reader.frames(5)
            cameras.kill()
            cameras.start("0ther")
            reader.until_state("lost", "wrong user or password")
            cameras.kill()
            cameras.start("s3cret")
            reader.until_state("live")
    logged = [record.getMessage() for record in caplog.records]
    assert any("camera cam: " in line and "wrong user or password (401)" in line for line in logged)
    assert "live again after" in logged[-1]
    assert not any("cret" in line or "0ther" in line for line in logged)


@full_server
def test_a_stream_that_changes_its_size(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "sizes", sizes=((64, 48), (96, 64)), pictures=20)
    with Cameras({"/one": clip_mount(clip)}) as cameras:
        source = camera(cameras.url("one"))
        with Reader(source, 999) as reader:
            frames = reader.frames(60)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3), (64, 96, 3)}
    assert source.status.connections == 1
    assert (source.height, source.width) in {(48, 64), (64, 96)}


@full_server
def test_a_camera_that_is_replaced_by_another_kind(cameras: Cameras) -> None:
    source = camera(cameras.url("one"))
    with Reader(source, 999) as reader:
        before = reader.frames(5)
        cameras.kill()
        cameras.mounts = {"/one": {"launch": VP8, "clip": "", "fps": 0}}
        cameras.start()
        after = reader.until(lambda seen: bool(seen) and seen[-1].image.shape == (64, 96, 3))
    assert min(steps(before + after)) > 0
    assert source.status.connections == 2


@full_server
def test_implausible_stream_times(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.h264", 25, fps=25)
    with Cameras({"/one": timeless_mount(path)}) as cameras:
        with Reader(camera(cameras.url("one")), 999) as reader:
            began = time.time()
            frames = reader.frames(200)
            ended = time.time()
    assert min(steps(frames)) > 0
    assert all(began < frame.timestamp < ended + 0.3 for frame in frames)


@full_server
def test_lost_packets(clip: Path) -> None:
    with Cameras({"/one": clip_mount(clip, LOSSY)}) as cameras:
        source = camera(cameras.url("one"), transport="udp")
        with Reader(source, 999) as reader:
            frames = reader.frames(4 * FPS)
    assert min(steps(frames)) > 0
    assert source.status.connections == 1
    assert max(abs(error_s(frame)) for frame in frames[2 * FPS :]) < 1


def test_a_silent_camera_does_not_delay_closing(cameras: Cameras) -> None:
    source = camera(cameras.url("one"), read_timeout_s=5.0)
    reader = Reader(source, 999)
    reader.frames(5)
    cameras.pause()
    reader.until_state("stalled")
    began = time.monotonic()
    reader.close()
    assert time.monotonic() - began < 4
    reader._thread.join(_PATIENCE_S)
    assert not reader._thread.is_alive()
