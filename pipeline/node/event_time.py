"""Which moment each camera of a node has reached, also without a frame of it."""

import math
from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple

from pipeline.node.batching import AnyFrame
from pipeline.node.camera_stream import Channel
from pipeline.sources.camera_status import status_of
from trackers.detections import Detections

#: A frame, and the people in it.
FrameDetections = tuple[AnyFrame, Detections]


def is_in_time(frame: AnyFrame, channel: Channel) -> bool:
    """Whether the moment of ``frame`` is not over yet; that of a live camera's frame can be."""
    in_time = frame.timestamp >= channel.camera.reached
    status = status_of(channel.source)
    if status is not None:
        status.late += not in_time
    return in_time


class FramePart(NamedTuple):
    """Frames of a batch with the people in them, from the ``moment`` on at which a period begins.

    The cameras in ``over`` end with it.
    """

    moment: float
    seen: list[FrameDetections]
    over: list[str]


def parts_of(
    batch: Sequence[FrameDetections],
    interval_s: float,
    live: Container[str],
    ended: Callable[[str], bool],
) -> list[FramePart]:
    """``batch`` cut where a period of recorded time begins, and after a camera's last frame.

    What is sent then does not depend on how the frames came in batches. The moment is -inf before
    the first frame of a recording.
    """
    last = {frame.camera_id: number for number, (frame, _) in enumerate(batch)}
    last = {camera_id: number for camera_id, number in last.items() if ended(camera_id)}
    parts: list[FramePart] = []
    moment = -math.inf
    for number, (frame, detections) in enumerate(batch):
        if frame.camera_id not in live:
            moment = max(moment, math.floor(frame.timestamp / interval_s) * interval_s)
        if not parts or moment > parts[-1].moment or parts[-1].over:
            parts.append(FramePart(moment, [], []))
        parts[-1].seen.append((frame, detections))
        if last.get(frame.camera_id) == number:
            parts[-1].over.append(frame.camera_id)
    return parts


def pass_time(moment: float, running: Iterable[Channel]) -> set[str]:
    """Tell the recorded cameras that have not reached ``moment`` how late it is; returns them.

    Recordings are read in order of time over all cameras, so none of theirs is earlier. A camera
    that starts hours later than another must not hold it up.
    """
    waiting = [c for c in running if not c.source.live and c.camera.reached < moment]
    for channel in waiting:
        channel.camera.pass_time(moment)
    return {channel.camera_id for channel in waiting}


def pass_live_time(running: Iterable[Channel]) -> set[str]:
    """Go on without the live cameras that have been silent for too long; returns them."""
    passed = set()
    for channel in running:
        status = status_of(channel.source)
        if status is None or not channel.reader.empty():
            continue
        moment = status.late_before()
        if moment > channel.camera.reached:
            channel.camera.pass_time(moment)
            passed.add(channel.camera_id)
    return passed
