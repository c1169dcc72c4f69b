"""Which moment each camera of a node has reached, also without a frame of it."""

from collections.abc import Iterable

from pipeline.node.channel import Channel
from pipeline.node.schedule import AnyFrame
from pipeline.sources.life import life_of


def is_in_time(frame: AnyFrame, channel: Channel) -> bool:
    """Whether the moment of ``frame`` is not over yet; that of a live camera's frame can be."""
    in_time = frame.timestamp >= channel.camera.reached
    life = life_of(channel.source)
    if life is not None:
        life.late += not in_time
    return in_time


def pass_time(moment: float, others: Iterable[Channel]) -> set[str]:
    """Tell the recorded cameras without a frame in a batch how late that is; returns them.

    Recordings are read in order of time over all cameras, so none of theirs is earlier. A camera
    that starts hours later than another must not hold it up.
    """
    waiting = [channel for channel in others if not channel.source.live]
    for channel in waiting:
        channel.camera.pass_time(moment)
    return {channel.camera_id for channel in waiting}


def pass_live_time(running: Iterable[Channel]) -> set[str]:
    """Go on without the live cameras that have been silent for too long; returns them."""
    passed = set()
    for channel in running:
        life = life_of(channel.source)
        if life is None or not channel.reader.empty():
            continue
        moment = life.passed()
        if moment > channel.camera.reached:
            channel.camera.pass_time(moment)
            passed.add(channel.camera_id)
    return passed
