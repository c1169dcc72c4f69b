import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from pipeline.monitoring.watch import Watch
from pipeline.monitoring.web import not_ready_reason
from pipeline.node import batching
from pipeline.node.batching import FrameBatcher
from pipeline.node.load_shedding import StallReport
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame

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
            yield Frame(self.camera_id, index, time, BgrPicture(IMAGE))


Opened = Callable[..., FrameBatcher]


@pytest.fixture
def opened() -> Iterator[Opened]:
    with ExitStack() as stack:

        def batcher_of(batch: int, *sources: Times) -> FrameBatcher:
            readers = [stack.enter_context(DecodeAhead(source, 4)) for source in sources]
            return FrameBatcher(readers, batch)

        yield batcher_of


def batches(batcher: FrameBatcher) -> list[list[tuple[str, float]]]:
    stop, found = threading.Event(), []
    while (batch := batcher.next_batch(stop)) is not None:
        if batch:
            found.append([(frame.camera_id, frame.timestamp) for frame in batch])
    return found


def test_frames_of_all_cameras_come_by_time_in_batches(opened: Opened) -> None:
    batcher = opened(3, Times("b", 0.0, 0.4, 0.8), Times("a", 0.1, 0.2, 0.3, 0.9))
    assert batches(batcher) == [
        [("b", 0.0), ("a", 0.1), ("a", 0.2)],
        [("a", 0.3), ("b", 0.4), ("b", 0.8)],
        [("a", 0.9)],
    ]


def test_frames_of_equal_time_are_ordered_by_camera_name(opened: Opened) -> None:
    names = [("a", 0.0), ("b", 0.0), ("c", 0.0)]
    for order in ("abc", "cab", "bca"):
        assert batches(opened(9, *(Times(name, 0.0) for name in order))) == [names]


def test_a_camera_that_starts_late_waits_for_its_time(opened: Opened) -> None:
    batcher = opened(2, Times("late", 100.0), Times("early", 0.0, 1.0, 2.0))
    assert [frame for batch in batches(batcher) for frame in batch] == [
        ("early", 0.0),
        ("early", 1.0),
        ("early", 2.0),
        ("late", 100.0),
    ]


def test_without_cameras_or_frames_it_ends(opened: Opened) -> None:
    assert batches(opened(4)) == []
    assert batches(opened(4, Times("a"), Times("b"))) == []


def test_a_camera_ends_with_its_last_frame(opened: Opened) -> None:
    batcher, stop = opened(1, Times("a", 0.0), Times("b", 1.0, 2.0)), threading.Event()
    seen = []
    while (batch := batcher.next_batch(stop)) is not None:
        seen.append((batch[0].timestamp, batcher.ended("a"), batcher.ended("b")))
    assert seen == [(0.0, True, False), (1.0, True, False), (2.0, True, True)]


def test_stop_ends_it_before_the_last_frame(opened: Opened) -> None:
    batcher, stop = opened(1, Times("a", 0.0, 1.0)), threading.Event()
    assert len(batcher.next_batch(stop) or []) == 1
    stop.set()
    assert batcher.next_batch(stop) is None
    assert not batcher.ended("a")


def test_live_cameras_are_not_waited_for(opened: Opened) -> None:
    live = Times("live", 5.0)
    live.may_come = threading.Event()
    batcher = opened(4, live, Times("file", 6.0, 7.0))
    stop = threading.Event()
    first = batcher.next_batch(stop)
    assert [frame.camera_id for frame in first or []] == ["file", "file"]
    assert batcher.next_batch(stop) == []
    live.may_come.set()
    assert batches(batcher) == [[("live", 5.0)]]


def ready(*times: float) -> DecodeAhead:
    """A live camera whose frames have all come and wait."""
    source = Times(f"live{len(times)}", *times)
    source.may_come = threading.Event()
    source.may_come.set()
    reader = DecodeAhead(source, 99)
    reader._thread.join(5)
    return reader


def test_live_cameras_are_served_in_turn_whatever_their_clocks() -> None:
    # The clock of the first is a day behind; it must not come first every time.
    behind, one, other = ready(0.0, 0.1), ready(9e4, 9e4 + 1, 9e4 + 2), ready(9e4, 9e4, 9e4, 9e4)
    batcher, stop = FrameBatcher([behind, one, other], 2), threading.Event()
    served = []
    while (batch := batcher.next_batch(stop)) is not None:
        served += [frame.camera_id for frame in batch]
    assert served[:6] == ["live2", "live3", "live4"] * 2
    assert sorted(served[6:]) == ["live3", "live4", "live4"]


def test_a_recording_gets_its_turn_beside_live_cameras(opened: Opened) -> None:
    live = ready(1.0, 2.0, 3.0)
    with DecodeAhead(Times("file", 5.0, 6.0), 4) as file:
        assert batches(FrameBatcher([live, file], 2)) == [
            [("file", 5.0), ("live3", 1.0)],
            [("file", 6.0), ("live3", 2.0)],
            [("live3", 3.0)],
        ]


def test_stop_works_while_only_silent_live_cameras_are_left(opened: Opened) -> None:
    live = Times("live", 5.0)
    live.may_come = threading.Event()
    batcher, stop = opened(4, live), threading.Event()
    assert batcher.next_batch(stop) == []
    stop.set()
    assert batcher.next_batch(stop) is None
    assert batching._LIVE_WAIT_S <= 0.1
    live.may_come.set()


class Stalling(Times):
    """A recording whose last frame comes once ``goes_on`` is set."""

    def __init__(self, camera_id: str, *times: float) -> None:
        super().__init__(camera_id, *times)
        self.goes_on = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            if frame.index == len(self.times) - 1:
                self.goes_on.wait()
            yield frame


def test_a_stalled_recording_is_named_and_can_be_stopped(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "_STEP_S", 0.01)
    file, stop = Stalling("file", 0.0, 1.0, 2.0), threading.Event()
    batcher = opened(9, file, Times("other", 0.5, 1.5))
    frames: list[tuple[str, float]] = []
    while len(frames) < 2:
        frames += [(f.camera_id, f.timestamp) for f in batcher.next_batch(stop) or []]
    # The third is held back until it is known whether it is the last one.
    assert (batcher.next_batch(stop), batcher.waiting_for) == ([], "file")
    stop.set()
    assert batcher.next_batch(stop) is None
    assert not batcher.ended("file")
    file.goes_on.set()
    rest = [frame for batch in batches(batcher) for frame in batch]
    assert [*frames, *rest] == [
        *(("file", 0.0), ("other", 0.5), ("file", 1.0), ("other", 1.5), ("file", 2.0))
    ]
    assert batcher.waiting_for is None


def test_a_stalled_recording_holds_up_no_live_camera(opened: Opened) -> None:
    file, live, stop = Stalling("file", 0.0), ready(1.0, 2.0, 3.0), threading.Event()
    with DecodeAhead(file, 4) as reader:
        batcher = FrameBatcher([reader, live], 1)
        got = [batcher.next_batch(stop) for _ in range(3)]
        assert [[f.timestamp for f in batch or []] for batch in got] == [[1.0], [2.0], [3.0]]
        assert batcher.waiting_for == "file"
        file.goes_on.set()


def test_a_stall_is_reported_once_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    moments = iter([0.0, 9.9, 9.9, 10.0, 19.9, 20.0, 30.0, 30.0])
    watch = Watch()
    report = StallReport(watch, moments.__next__)
    for waiting_for in ("gate", "gate", None, "gate", "gate"):
        report.update(waiting_for)
        assert watch.faults == {}
    for _ in range(2):
        report.update("gate")
    said = "camera gate: its file gives no frame. Check the drive that it is on"
    assert list(watch.faults.values()) == [said]
    assert not_ready_reason(watch, lambda: None) == said
    report.update(None)
    assert not_ready_reason(watch, lambda: None) == ""
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "camera gate",
        "camera gate",
    ]
    assert "continues after 20 s" in caplog.text


def test_a_busy_node_takes_smaller_batches_of_live_cameras() -> None:
    batcher, stop = FrameBatcher([ready(1.0, 2.0, 3.0), ready(1.0, 2.0)], 4), threading.Event()
    batcher.most_live = 2
    assert [f.camera_id for f in batcher.next_batch(stop) or []] == ["live3", "live2"]
    batcher.most_live = 4
    assert len(batcher.next_batch(stop) or []) == 3


def test_live_cameras_are_added_and_removed() -> None:
    batcher, stop = FrameBatcher([], 2), threading.Event()
    assert batcher.next_batch(stop) is None
    one, other = ready(1.0, 2.0, 3.0), ready(1.0, 2.0)
    batcher.add(one)
    batcher.add(other)
    assert not batcher.ended("live2")
    assert [f.camera_id for f in batcher.next_batch(stop) or []] == ["live3", "live2"]
    batcher.remove("live2")
    batcher.remove("live2")
    assert batcher.ended("live2")
    assert [f.camera_id for f in batcher.next_batch(stop) or []] == ["live3", "live3"]
    assert batcher.next_batch(stop) is None
