"""Files wait, live cameras drop their oldest frames, and no thread is left running."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema import CameraConfig
from pipeline.sources import open_source
from pipeline.sources.decode_ahead import DecodeAhead, close_all
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from videos import make_video, read_index


class FakeSource:
    """``count`` frames; ``made`` counts requests, ``finished`` is set when there are no more."""

    camera_id = "fake"
    width = height = 1
    fps = 10.0
    timestamp_origin = "epoch"
    fault = ""

    def __init__(self, count: int, live: bool = False, error: Exception | None = None) -> None:
        self.live = live
        self.made = 0
        self.finished = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self._count = count
        self._error = error

    def frames(self) -> Iterator[Frame]:
        try:
            for index in range(self._count):
                self.made += 1
                yield Frame("fake", index, index / 10, BgrPicture(np.zeros((1, 1, 3), np.uint8)))
            self.gate.wait(10)
            if self._error:
                raise self._error
        finally:
            self.finished.set()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def test_every_frame_of_a_file_comes_in_order(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 20)
    source = open_source("a", CameraConfig(source=str(path)))
    with DecodeAhead(source, 2) as ahead:
        seen = [read_index(frame.image) for frame in iter(ahead.get, None)]
        assert seen == list(range(20))
        assert ahead.get() is None
        assert ahead.get(0) is None
        assert ahead.dropped == 0


def test_an_empty_source_ends_at_once() -> None:
    with DecodeAhead(FakeSource(0), 1) as ahead:
        assert ahead.get() is None
        assert not ahead.empty()


def test_a_file_is_read_no_further_than_its_buffer() -> None:
    source = FakeSource(100)
    with DecodeAhead(source, 3) as ahead:
        for _ in range(10):
            assert ahead.get(5) is not None
        assert source.made <= 10 + 3 + 1
        assert [frame.index for frame in iter(ahead.get, None)] == list(range(10, 100))


def test_a_live_camera_drops_its_oldest_frame() -> None:
    source = FakeSource(10, live=True)
    with DecodeAhead(source, 4) as ahead:
        assert source.finished.wait(10)
        assert [frame.index for frame in iter(ahead.get, None)] == [6, 7, 8, 9]
        assert ahead.dropped == 6


def test_old_frames_of_a_live_camera_are_dropped() -> None:
    source = FakeSource(10, live=True)
    with DecodeAhead(source, 99, buffer_s=0.35) as ahead:
        assert source.finished.wait(10)
        # The newest is of 0.9 s.
        assert [frame.index for frame in iter(ahead.get, None)] == [6, 7, 8, 9]
        assert ahead.dropped == 6


def test_no_frame_of_a_file_is_too_old() -> None:
    with DecodeAhead(FakeSource(5), 99, buffer_s=0.05) as ahead:
        assert [frame.index for frame in iter(ahead.get, None)] == [0, 1, 2, 3, 4]


def test_many_silent_cameras_are_closed_as_fast_as_one() -> None:
    sources = [FakeSource(1, live=True) for _ in range(20)]
    for source in sources:
        source.gate.clear()
    readers = [DecodeAhead(source, 1) for source in sources]
    began = time.monotonic()
    close_all(readers)
    assert time.monotonic() - began < 5
    for source, reader in zip(sources, readers, strict=True):
        source.gate.set()
        reader._thread.join(5)


def test_get_times_out() -> None:
    source = FakeSource(0)
    source.gate.clear()
    with DecodeAhead(source, 1) as ahead:
        assert ahead.empty()
        with pytest.raises(TimeoutError, match="no frame of fake within"):
            ahead.get(0.01)
        source.gate.set()
        assert ahead.get(5) is None


def test_the_error_of_a_source_comes_after_its_frames() -> None:
    with DecodeAhead(FakeSource(2, error=OSError("disk gone")), 5) as ahead:
        assert [ahead.get().index, ahead.get().index] == [0, 1]
        for _ in range(2):
            with pytest.raises(OSError, match="disk gone"):
                ahead.get()


def test_close_while_the_thread_waits_for_room() -> None:
    source = FakeSource(100)
    ahead = DecodeAhead(source, 1)
    assert ahead.get(5) is not None
    ahead.close()
    assert source.finished.is_set()
    assert source.made < 100
    assert ahead.get() is None


def test_close_after_the_end_and_twice() -> None:
    ahead = DecodeAhead(FakeSource(1), 1)
    ahead.close()
    ahead.close()
    assert ahead.get() is None


def test_a_buffer_holds_at_least_one_frame() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        DecodeAhead(FakeSource(1), 0)
