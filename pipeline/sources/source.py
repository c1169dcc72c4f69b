"""What every source of frames looks like."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pipeline.frame import Frame
from trackers.detections import Detections


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """The detections of one frame. ``index`` and ``timestamp`` (seconds UTC) are as recorded."""

    camera_id: str
    index: int
    timestamp: float
    detections: Detections


class Source(Protocol):
    """One camera, opened.

    ``width`` and ``height`` are pixels after rotation (0 = unknown), ``fps`` is the average rate
    (0 = unknown); those of a live camera may change. See also
    `pipeline.sources.camera_status.life_of`.
    """

    camera_id: str
    live: bool
    width: int
    height: int
    fps: float

    @property
    def timestamp_origin(self) -> str:
        """What the timestamps are based on: config, container, epoch, rtcp, arrival, recorded."""
        ...

    @property
    def fault(self) -> str:
        """Empty until ``frames`` has ended, and then when all was read; else what was not."""
        ...

    def frames(self) -> Iterator[Frame] | Iterator[RecordedFrame]:
        """Every frame in order, with strictly increasing index and timestamp."""
        ...
