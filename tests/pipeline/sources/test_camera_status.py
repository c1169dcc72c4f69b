"""The states of a live camera, what is logged about them, and when its frames are late."""

import logging

import pytest

from pipeline.config.schema import LiveConfig
from pipeline.sources.camera_status import CameraStatus, retry_delay, status_of


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def status(clock: Clock) -> CameraStatus:
    return CameraStatus("gate", LiveConfig(late_s=3.0), clock)


def test_states_from_the_first_attempt_to_the_loss(status: CameraStatus, clock: Clock) -> None:
    assert (status.phase().state, status.phase().text) == ("connecting", "connecting")
    status.frame_received(0.1, "rtcp")
    assert (status.phase().state, status.phase().text) == ("live", "")
    clock.now += 2.99
    assert status.phase().state == "live"
    clock.now += 0.01
    assert status.phase().text == "stalled: connected, but sends no frame"
    status.frame_received(0.1, "rtcp")
    assert status.phase().state == "live"
    status.connection_lost("no power")
    assert status.phase().text == "lost: no power"
    status.connection_attempted()
    assert status.phase().text == "lost: no power"


def test_a_loss_and_its_end_are_logged_once(
    status: CameraStatus, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    status.frame_received(0.0, "arrival")
    for _ in range(3):
        status.connection_lost("no power")
        clock.now += 2
    status.connection_lost("no such stream")
    clock.now += 0.5
    status.frame_received(0.0, "arrival")
    status.frame_received(0.0, "arrival")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "camera gate: live"),
        ("WARNING", "camera gate: no power. Reconnecting"),
        ("WARNING", "camera gate: no such stream. Reconnecting"),
        ("WARNING", "camera gate: live again after 6.5 s"),
    ]
    assert status.frames == 3


def test_frames_are_late_after_the_configured_time(status: CameraStatus, clock: Clock) -> None:
    assert status.late_before() == 997.0
    status.frame_received(0.25, "rtcp")
    clock.now += 10
    assert status.late_before() == 1010 - 3 - 0.25


def test_retry_delays_double_up_to_the_maximum_and_half_is_random() -> None:
    config = LiveConfig(retry_s=1, retry_max_s=10)
    longest = [retry_delay(config, attempt, lambda: 1.0) for attempt in range(6)]
    assert longest == [1, 2, 4, 8, 10, 10]
    assert retry_delay(config, 2, lambda: 0.0) == 2
    assert retry_delay(config, 10_000, lambda: 1.0) == 10
    assert len({retry_delay(config, 0) for _ in range(20)}) > 1


def test_only_live_cameras_have_a_status(status: CameraStatus) -> None:
    class Source:
        pass

    assert status_of(Source()) is None
    source = Source()
    source.status = status  # type: ignore[attr-defined]
    assert status_of(source) is status
