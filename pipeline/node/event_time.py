"""Event time of the cameras of a node, also while a camera delivers no frames."""

import math
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from pipeline.node.batching import AnyFrame
from pipeline.node.camera_stream import CameraStream
from pipeline.sources.camera_status import status_of
from trackers.detections import Detections

#: A frame and its detections, None where the detector did not see it.
FrameDetections = tuple[AnyFrame, Detections | None]


def is_on_time(frame: AnyFrame, stream: CameraStream) -> bool:
    """Whether ``frame`` is not earlier than the camera's event time. Counts late live frames."""
    on_time = frame.timestamp >= stream.camera.event_time
    status = status_of(stream.source)
    if status is not None:
        status.late += not on_time
    return on_time


class FramePart(NamedTuple):
    """The frames of a batch that belong to the period starting at ``period_start``, seconds UTC.

    ``ended`` are the cameras whose last frame is in this part.
    """

    period_start: float
    frames: list[FrameDetections]
    ended: list[str]


def split_batch(
    batch: Sequence[FrameDetections],
    interval_s: float,
    live: Container[str],
    ended: Container[str],
) -> list[FramePart]:
    """Split ``batch`` where a period of recorded time begins and after a camera's last frame.

    This makes the messages independent of the batch size. The period start is -inf before the
    first recorded frame.
    """
    last = {frame.camera_id: number for number, (frame, _) in enumerate(batch)}
    last = {camera_id: number for camera_id, number in last.items() if camera_id in ended}
    parts: list[FramePart] = []
    period_start = -math.inf
    for number, (frame, detections) in enumerate(batch):
        if frame.camera_id not in live:
            period_start = max(period_start, math.floor(frame.timestamp / interval_s) * interval_s)
        if not parts or period_start > parts[-1].period_start or parts[-1].ended:
            parts.append(FramePart(period_start, [], []))
        parts[-1].frames.append((frame, detections))
        if last.get(frame.camera_id) == number:
            parts[-1].ended.append(frame.camera_id)
    return parts


def advance_recorded(timestamp: float, running: Iterable[CameraStream]) -> set[str]:
    """Advance the recorded cameras that are behind ``timestamp``, seconds UTC; returns their ids.

    Recordings are read in order of time over all cameras, so no earlier frame can follow. A camera
    that starts hours later than another must not delay it.
    """
    behind = [c for c in running if not c.source.live and c.camera.event_time < timestamp]
    for stream in behind:
        stream.camera.advance_to(timestamp)
    return {stream.camera_id for stream in behind}


def advance_silent_live(running: Iterable[CameraStream]) -> set[str]:
    """Advance the live cameras that are silent for too long or wait for their turn.

    Returns those with something to send.
    """
    advanced = set()
    for stream in running:
        status = status_of(stream.source)
        if status is None:
            continue
        waiting = stream.reader.next_timestamp()
        if waiting is not None:
            # The node is busy with others: what it has of this camera must not wait for its turn.
            if stream.camera.flush_to(waiting):
                advanced.add(stream.camera_id)
            continue
        if not stream.reader.empty():
            continue
        timestamp = status.late_before()
        if timestamp > stream.camera.event_time:
            stream.camera.advance_to(timestamp)
            advanced.add(stream.camera_id)
    return advanced
