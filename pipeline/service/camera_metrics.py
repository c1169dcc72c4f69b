"""The metrics of each camera: its frames, its state, and what became of the people in it."""

from collections.abc import Iterator
from typing import get_args

from prometheus_client.metrics_core import Metric

from pipeline.monitoring.watch import Watch
from pipeline.service.counts import CameraCounts
from pipeline.service.families import Families, Labels
from pipeline.sources.camera_status import Life, State, life_of
from pipeline.sources.decode_ahead import DecodeAhead


def of_cameras(watch: Watch, families: Families) -> Iterator[Metric]:
    """What is known of every camera that this process has to do with."""
    yield from _of_counts(sorted(watch.cameras.copy().items()), families)
    readers = sorted(watch.readers.copy().items())
    yield families.counter(
        "frames_dropped",
        "Frames that nobody looked at: pushed out of the buffer, late at the node, behind when "
        "they arrived, or damaged",
        [
            ({"camera": camera_id, "reason": reason}, count)
            for camera_id, reader in readers
            for reason, count in _dropped(reader).items()
        ],
    )
    lives = [(camera_id, life_of(reader.source)) for camera_id, reader in readers]
    yield from _of_lives([(camera_id, life) for camera_id, life in lives if life], families)


def _of_counts(cameras: list[tuple[str, CameraCounts]], families: Families) -> Iterator[Metric]:
    named = [({"camera": camera_id}, counts) for camera_id, counts in cameras]
    yield families.counter(
        "frames", "Frames that were looked at", [(name, counts.frames) for name, counts in named]
    )
    yield families.counter(
        "detections",
        "People found, one for each frame they are in",
        [(name, counts.detections) for name, counts in named],
    )
    yield families.counter(
        "tracklets",
        "Tracks that ended and were sent",
        [(name, counts.tracklets) for name, counts in named],
    )
    yield families.counter(
        "decisions",
        "What the associator decided on tracks",
        [
            (name | {"kind": kind}, count)
            for name, counts in named
            for kind, count in sorted(counts.decisions.copy().items())
        ],
    )
    yield families.histogram(
        "capture_to_sent_seconds",
        "From the capture of a live frame with people until they are in Redis",
        [(name, counts.to_sent_s) for name, counts in named],
    )
    yield families.histogram(
        "capture_to_identity_seconds",
        "From a moment with people in front of a live camera until it is decided who they are",
        [(name, counts.to_identity_s) for name, counts in named],
    )


def _of_lives(lives: list[tuple[str, Life]], families: Families) -> Iterator[Metric]:
    named: list[tuple[Labels, Life]] = [({"camera": camera_id}, life) for camera_id, life in lives]
    yield families.gauge(
        "camera_state",
        "1 for the state that a live camera is in",
        [
            (name | {"state": state}, int(life.phase().state == state))
            for name, life in named
            for state in get_args(State)
        ],
    )
    yield families.counter(
        "camera_reconnects",
        "How often a live camera answered again after it was lost",
        [(name, max(0, life.connections - 1)) for name, life in named],
    )


def _dropped(reader: DecodeAhead) -> dict[str, int]:
    life = life_of(reader.source)
    if life is None:
        return {"buffer": reader.dropped}
    return {
        "buffer": reader.dropped,
        "late": life.late,
        "behind": life.dropped,
        "damaged": life.damaged,
    }
