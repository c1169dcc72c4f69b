"""Where a batch is split: at the start of a period and after a camera's last frame."""

import math

from fakes import found
from pipeline.node.event_time import FrameDetections, split_batch
from pipeline.sources.recorded import RecordedFrame


def frame(camera_id: str, timestamp: float) -> FrameDetections:
    return RecordedFrame(camera_id, 0, timestamp, found([])), found([])


def split(
    *batch: FrameDetections, live: tuple[str, ...] = (), ended: tuple[str, ...] = ()
) -> list[tuple[float, list[float], list[str]]]:
    """The parts, with the times of their frames."""
    parts = split_batch(batch, 0.5, live, ended)
    return [
        (part.period_start, [f.timestamp for f, _ in part.frames], part.ended) for part in parts
    ]


def test_an_empty_batch_has_no_parts() -> None:
    assert split() == []


def test_a_frame_at_the_start_of_a_period_begins_a_part() -> None:
    assert split(frame("a", 9.75), frame("b", 9.999), frame("a", 10.0), frame("b", 10.25)) == [
        (9.5, [9.75, 9.999], []),
        (10.0, [10.0, 10.25], []),
    ]


def test_live_frames_do_not_split_a_batch() -> None:
    batch = frame("live", 3.0), frame("file", 9.6), frame("live", 17.0), frame("file", 9.7)
    assert split(*batch, live=("live",)) == [(-math.inf, [3.0], []), (9.5, [9.6, 17.0, 9.7], [])]


def test_a_camera_ends_after_its_last_frame_of_the_batch() -> None:
    batch = frame("a", 9.5), frame("b", 9.6), frame("a", 9.7), frame("b", 9.8), frame("c", 9.9)
    assert split(*batch, ended=("a", "c", "without frames")) == [
        (9.5, [9.5, 9.6, 9.7], ["a"]),
        (9.5, [9.8, 9.9], ["c"]),
    ]
