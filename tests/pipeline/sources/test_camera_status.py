"""The states of a live camera, what is told of them, and how long it is waited for."""

import logging

import pytest

from pipeline.config.schema import LiveConfig
from pipeline.sources.camera_status import Life, life_of, waits


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def life(clock: Clock) -> Life:
    return Life("gate", LiveConfig(late_s=3.0), clock)


def test_from_the_first_call_to_the_loss(life: Life, clock: Clock) -> None:
    assert (life.phase().state, life.phase().text) == ("connecting", "connecting")
    life.seen(0.1, "rtcp")
    assert (life.phase().state, life.phase().text) == ("live", "")
    clock.now += 2.99
    assert life.phase().state == "live"
    clock.now += 0.01
    assert life.phase().text == "stalled: connected, but sends no frame"
    life.seen(0.1, "rtcp")
    assert life.phase().state == "live"
    life.lost("no power")
    assert life.phase().text == "lost: no power"
    life.connecting()
    assert life.phase().text == "lost: no power"


def test_a_loss_is_told_once_and_so_is_its_end(
    life: Life, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    life.seen(0.0, "arrival")
    for _ in range(3):
        life.lost("no power")
        clock.now += 2
    life.lost("no such stream")
    clock.now += 0.5
    life.seen(0.0, "arrival")
    life.seen(0.0, "arrival")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "camera gate: live"),
        ("WARNING", "camera gate: no power. Trying again"),
        ("WARNING", "camera gate: no such stream. Trying again"),
        ("WARNING", "camera gate: live again after 6.5 s"),
    ]
    assert life.frames == 3


def test_a_silent_camera_is_waited_for_so_long(life: Life, clock: Clock) -> None:
    assert life.passed() == 997.0
    life.seen(0.25, "rtcp")
    clock.now += 10
    assert life.passed() == 1010 - 3 - 0.25


def test_waits_double_up_to_the_longest_and_half_of_them_is_chance() -> None:
    config = LiveConfig(retry_s=1, retry_max_s=10)
    longest = [waits(config, attempt, lambda: 1.0) for attempt in range(6)]
    assert longest == [1, 2, 4, 8, 10, 10]
    assert waits(config, 2, lambda: 0.0) == 2
    assert waits(config, 10_000, lambda: 1.0) == 10
    assert len({waits(config, 0) for _ in range(20)}) > 1


def test_only_live_cameras_have_a_life(life: Life) -> None:
    class Source:
        pass

    assert life_of(Source()) is None
    source = Source()
    source.life = life  # type: ignore[attr-defined]
    assert life_of(source) is life
