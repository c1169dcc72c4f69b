"""Capture times: smooth, strictly increasing, by the camera clock where it is plausible."""

import itertools
import random

import pytest

from pipeline.sources.clock import ArrivalOffset, CaptureClock, FrameRate

FPS = 25


def media_times(count: int, start: float = 100.0) -> list[float]:
    return [start + number / FPS for number in range(count)]


def increases(times: list[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(times))


def test_the_least_delayed_frames_define_the_offset() -> None:
    offset = ArrivalOffset()
    assert offset.offset(1000.3, 0.0) == pytest.approx(1000.3)
    assert offset.offset(1000.14, 0.04) == pytest.approx(1000.1)
    assert offset.lag(1000.68, 0.08) == pytest.approx(0.5, abs=0.001)


def test_arrivals_that_vary_are_smoothed() -> None:
    chance, clock = random.Random(1), CaptureClock("auto")
    media = media_times(500)
    delays = [0.02 + chance.random() * 0.2 for _ in media]
    times = [clock.next_timestamp(m + d, m, None) for m, d in zip(media, delays, strict=True)]
    late = [t - m for t, m in zip(times, media, strict=True)][100:]
    assert clock.origin == "arrival"
    assert increases(times)
    assert max(late) - min(late) < 0.01
    assert min(late) == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize("drift", [-0.0002, 0.0002])
def test_clock_drift_is_followed(drift: float) -> None:
    clock = CaptureClock("auto")
    for number in range(3600):
        arrival = 1000.0 + number
        timestamp = clock.next_timestamp(arrival, number * (1 + drift), None)
    assert timestamp == pytest.approx(arrival, abs=0.01)


def test_the_camera_clock_takes_over_gradually() -> None:
    clock = CaptureClock("auto")
    media = media_times(200)
    arrivals = [m + 900.0 for m in media]
    # The first report comes after two seconds: the frames were taken 0.3 s before they arrived.
    reports = [None if m < media[50] else a - 0.3 for m, a in zip(media, arrivals, strict=True)]
    times = [clock.next_timestamp(*frame) for frame in zip(arrivals, media, reports, strict=True)]
    steps = [b - a for a, b in itertools.pairwise(times)]
    assert clock.origin == "rtcp"
    assert times[49] == pytest.approx(arrivals[49])
    assert times[-1] == pytest.approx(arrivals[-1] - 0.3)
    assert 0.75 / FPS - 1e-6 <= min(steps)
    assert max(steps) <= 1.25 / FPS


@pytest.mark.parametrize(
    ("mode", "off", "origin", "expected"),
    [
        ("auto", 2.0, "rtcp", 2.0),
        ("auto", -1.9, "rtcp", -1.9),
        ("auto", 2.1, "arrival", 0.0),
        ("auto", -3600.0, "arrival", 0.0),
        ("camera", -3600.0, "rtcp", -3600.0),
        ("arrival", 0.5, "arrival", 0.0),
    ],
)
def test_which_clock_is_used(mode: str, off: float, origin: str, expected: float) -> None:
    clock = CaptureClock(mode)  # type: ignore[arg-type]
    timestamp = clock.next_timestamp(5000.0, 0.0, 5000.0 + off)
    assert timestamp == pytest.approx(5000.0 + expected)
    assert clock.origin == origin
    rejected = off if mode == "auto" and origin == "arrival" else None
    assert clock.rejected_offset_s == (None if rejected is None else pytest.approx(rejected))


def test_without_media_time_the_arrival_is_used() -> None:
    clock = CaptureClock("auto")
    assert [clock.next_timestamp(a, None, None) for a in (1.0, 2.0, 2.0)] == [1.0, 2.0, 2.001]


def test_constant_media_time_and_its_reports_are_ignored() -> None:
    clock = CaptureClock("auto")
    times = [clock.next_timestamp(10 + number / 10, 7.0, 10.0) for number in range(5)]
    assert times == pytest.approx([10.0, 10.1, 10.2, 10.3, 10.4])


@pytest.mark.parametrize("jump", [-4.0, 3600.0])
def test_times_that_begin_anew(jump: float) -> None:
    clock = CaptureClock("auto")
    media = media_times(50)
    times = [
        clock.next_timestamp(1000 + m, m + (jump if m > media[24] else 0.0), None) for m in media
    ]
    assert increases(times)
    assert times == pytest.approx([1000 + m for m in media], abs=0.01)


def test_the_clock_of_this_computer_is_set_to_the_right_time() -> None:
    clock = CaptureClock("auto")
    media = media_times(50)
    # As on a small computer whose clock starts where it stopped.
    arrivals = [m if m < media[25] else m + 86_400.0 for m in media]
    times = [clock.next_timestamp(a, m, None) for a, m in zip(arrivals, media, strict=True)]
    assert times == pytest.approx(arrivals)


@pytest.mark.parametrize("has_media", [True, False])
@pytest.mark.parametrize("restart", [True, False])
def test_the_clock_of_this_computer_is_set_back_twice(has_media: bool, restart: bool) -> None:
    clock, times = CaptureClock("auto"), []
    back = {200: 3600.0, 400: 7200.0}
    off = 0.0
    for number, media in enumerate(media_times(600)):
        if number in back and restart:
            clock.restart()
        off = back.get(number, off)
        times.append(clock.next_timestamp(90_000 + media - off, media if has_media else None, None))
    steps = [b - a for a, b in itertools.pairwise(times)]
    # A frame at each moment; the hours are made up for by a slower clock.
    assert sorted(steps)[2] == pytest.approx(0.75 / FPS, abs=1e-6)
    assert max(steps) == pytest.approx(1 / FPS, abs=1e-6)


def test_frames_delayed_by_the_network_keep_their_times() -> None:
    clock = CaptureClock("auto")
    media = media_times(100)
    # Two seconds without a frame, then all at once.
    arrivals = [m if m < media[40] else max(m, media[90]) for m in media]
    times = [clock.next_timestamp(a, m, None) for a, m in zip(arrivals, media, strict=True)]
    assert times == pytest.approx(media, abs=0.01)


def test_time_continues_after_a_reconnect() -> None:
    clock = CaptureClock("auto")
    first = [clock.next_timestamp(1000 + m, m, None) for m in media_times(10)]
    clock.restart()
    second = [clock.next_timestamp(1000.2 + m, m, None) for m in media_times(10)]
    assert increases(first + second)
    assert second[-1] == pytest.approx(1000.2 + 100 + 9 / FPS)


@pytest.mark.parametrize("fps", [2, 5, 30])
def test_a_rate_is_measured_after_the_queued_frames(fps: float) -> None:
    rate = FrameRate()
    # 40 frames that were queued while the stream was opened, then one at a time.
    queued = [rate.measured(100 + n / 1000) for n in range(40)]
    found = [rate.measured(101 + n / fps) for n in range(12 * fps)]
    assert not any(queued)
    first = next(value for value in found if value)
    assert first == pytest.approx(fps)
    # At least 8 frames and 2 seconds, after 3.
    assert found.index(first) / fps == pytest.approx(2 + max(2, 8 / fps), abs=1.01 / fps)
