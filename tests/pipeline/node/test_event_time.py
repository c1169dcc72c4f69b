"""Where a batch is cut: at the border of a period, and after a camera's last frame."""

import math

from fakes import found
from pipeline.node.event_time import FrameDetections, parts_of
from pipeline.sources.recorded import RecordedFrame


def seen(camera_id: str, timestamp: float) -> FrameDetections:
    return RecordedFrame(camera_id, 0, timestamp, found([])), found([])


def cut(
    *batch: FrameDetections, live: tuple[str, ...] = (), over: tuple[str, ...] = ()
) -> list[tuple[float, list[float], list[str]]]:
    """The parts, with the times of their frames."""
    parts = parts_of(batch, 0.5, live, over.__contains__)
    return [(part.moment, [f.timestamp for f, _ in part.seen], part.over) for part in parts]


def test_nothing_has_no_parts() -> None:
    assert cut() == []


def test_a_frame_on_the_border_begins_a_period() -> None:
    assert cut(seen("a", 9.75), seen("b", 9.999), seen("a", 10.0), seen("b", 10.25)) == [
        (9.5, [9.75, 9.999], []),
        (10.0, [10.0, 10.25], []),
    ]


def test_live_frames_cut_nothing() -> None:
    batch = seen("live", 3.0), seen("file", 9.6), seen("live", 17.0), seen("file", 9.7)
    assert cut(*batch, live=("live",)) == [(-math.inf, [3.0], []), (9.5, [9.6, 17.0, 9.7], [])]


def test_a_camera_is_over_after_its_last_frame_of_the_batch() -> None:
    batch = seen("a", 9.5), seen("b", 9.6), seen("a", 9.7), seen("b", 9.8), seen("c", 9.9)
    assert cut(*batch, over=("a", "c", "who had none")) == [
        (9.5, [9.5, 9.6, 9.7], ["a"]),
        (9.5, [9.8, 9.9], ["c"]),
    ]
