import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from pipeline import schedule
from pipeline.frame import Frame
from pipeline.schedule import Schedule
from pipeline.sources.decode_ahead import DecodeAhead

IMAGE = np.zeros((2, 2, 3), np.uint8)


class Times:
    """A source whose frames come at the given times; a live one waits for ``may_come`` first."""

    width = height = 2
    fps = 10.0
    timestamp_origin = "epoch"
    fault = ""

    def __init__(self, camera_id: str, *times: float) -> None:
        self.camera_id = camera_id
        self.times = times
        self.may_come: threading.Event | None = None

    @property
    def live(self) -> bool:
        return self.may_come is not None

    def frames(self) -> Iterator[Frame]:
        for index, time in enumerate(self.times):
            if self.may_come is not None:
                self.may_come.wait(5)
            yield Frame(self.camera_id, index, time, IMAGE)


Opened = Callable[..., Schedule]


@pytest.fixture
def opened() -> Iterator[Opened]:
    with ExitStack() as stack:

        def schedule_of(batch: int, *sources: Times) -> Schedule:
            readers = [stack.enter_context(DecodeAhead(source, 4)) for source in sources]
            return Schedule(readers, batch)

        yield schedule_of


def batches(plan: Schedule) -> list[list[tuple[str, float]]]:
    stop, found = threading.Event(), []
    while batch := plan.next_batch(stop):
        found.append([(frame.camera_id, frame.timestamp) for frame in batch])
    return found


def test_frames_of_all_cameras_come_by_time_in_batches(opened: Opened) -> None:
    plan = opened(3, Times("b", 0.0, 0.4, 0.8), Times("a", 0.1, 0.2, 0.3, 0.9))
    assert batches(plan) == [
        [("b", 0.0), ("a", 0.1), ("a", 0.2)],
        [("a", 0.3), ("b", 0.4), ("b", 0.8)],
        [("a", 0.9)],
    ]


def test_at_one_time_the_name_decides_whatever_the_order_of_sources(opened: Opened) -> None:
    names = [("a", 0.0), ("b", 0.0), ("c", 0.0)]
    for order in ("abc", "cab", "bca"):
        assert batches(opened(9, *(Times(name, 0.0) for name in order))) == [names]


def test_a_camera_that_starts_late_waits_for_its_time(opened: Opened) -> None:
    plan = opened(2, Times("late", 100.0), Times("early", 0.0, 1.0, 2.0))
    assert [frame for batch in batches(plan) for frame in batch] == [
        ("early", 0.0),
        ("early", 1.0),
        ("early", 2.0),
        ("late", 100.0),
    ]


def test_no_cameras_and_no_frames_are_the_end(opened: Opened) -> None:
    assert batches(opened(4)) == []
    assert batches(opened(4, Times("a"), Times("b"))) == []


def test_a_camera_has_ended_when_its_last_frame_is_given_and_no_sooner(opened: Opened) -> None:
    plan, stop = opened(1, Times("a", 0.0), Times("b", 1.0, 2.0)), threading.Event()
    seen = []
    while batch := plan.next_batch(stop):
        seen.append((batch[0].timestamp, plan.ended("a"), plan.ended("b")))
    assert seen == [(0.0, False, False), (1.0, True, False), (2.0, True, False)]
    assert plan.ended("b")


def test_stop_ends_it_though_there_is_more(opened: Opened) -> None:
    plan, stop = opened(1, Times("a", 0.0, 1.0)), threading.Event()
    assert len(plan.next_batch(stop)) == 1
    stop.set()
    assert plan.next_batch(stop) == []
    assert not plan.ended("a")


def test_nobody_waits_for_a_live_camera(opened: Opened) -> None:
    live = Times("live", 5.0)
    live.may_come = threading.Event()
    plan, stop = opened(4, live, Times("file", 6.0, 7.0)), threading.Event()
    first = plan.next_batch(stop)
    assert [frame.camera_id for frame in first] == ["file", "file"]
    live.may_come.set()
    assert [frame.camera_id for frame in plan.next_batch(stop)] == ["live"]
    assert plan.next_batch(stop) == []


def test_stop_is_heard_while_only_silent_live_cameras_are_left(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return True

    live = Times("live", 5.0)
    live.may_come = threading.Event()
    plan = opened(4, live)
    assert plan.next_batch(Stopping()) == []
    assert schedule._LIVE_WAIT_S <= 0.1
    live.may_come.set()
