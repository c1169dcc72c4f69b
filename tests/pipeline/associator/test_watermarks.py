import logging

import pytest

from pipeline.associator.watermarks import Silence, WorkingTime


class Watch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Watch:
    return Watch()


def test_a_live_camera_is_silent_from_the_threshold_on(clock: Watch) -> None:
    silence = Silence(["gate", "yard"], 10.0, clock)
    clock.now = 109.0
    silence.received("yard")
    clock.now = 109.9
    silence.update(["gate", "yard"])
    assert silence.cameras == set()
    clock.now = 110.0
    silence.update(["gate", "yard"])
    assert silence.cameras == {"gate"}


def test_recordings_may_take_their_time(clock: Watch) -> None:
    silence = Silence(["gate"], 10.0, clock)
    clock.now = 1000.0
    silence.update(["gate", "tape"])
    assert silence.cameras == {"gate"}
    silence.update(["tape"])
    assert silence.cameras == set()


def test_when_nobody_moves_on_nobody_is_left_out(clock: Watch) -> None:
    silence = Silence(["gate", "yard"], 10.0, clock)
    clock.now = 200.0
    silence.update(["gate", "yard"])
    assert silence.cameras == set()
    silence.update([])
    assert silence.cameras == set()


def test_it_is_told_once_and_also_that_it_is_over(
    clock: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    silence = Silence(["gate", "hall"], 10.0, clock)
    silence.joined("yard")
    with caplog.at_level(logging.WARNING):
        for clock.now in (110.0, 111.0):
            silence.received("yard")
            silence.update(["gate", "hall", "yard"])
        silence.received("gate")
        silence.received("gate")
    assert caplog.messages == [
        "nothing came of camera gate, hall for 10 s: is its node running? Going on without it",
        "camera gate: its node sends again",
    ]
    silence.update(["gate", "hall", "yard"])
    assert silence.cameras == {"hall"}
    assert silence.live() == ["gate", "hall", "yard"]


def test_a_computer_that_stood_still_makes_no_camera_silent() -> None:
    moments = iter([0.0, 0.0, 0.0, 0.5, 60.0, 60.5, *(61.0 + step / 2 for step in range(40))])
    silence = Silence(["gate", "yard"], 10.0, WorkingTime(moments.__next__))
    silence.received("gate")
    for _ in range(3):
        silence.update(["gate", "yard"])
        assert silence.cameras == frozenset()
    for _ in range(17):
        silence.received("gate")
        silence.update(["gate", "yard"])
    # In its own time, ten seconds have passed.
    assert silence.cameras == {"yard"}
