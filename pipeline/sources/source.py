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
    (0 = unknown). ``timestamp_origin`` says what the first timestamp is based on: config,
    container, epoch, arrival or recorded. ``fault`` is empty until ``frames`` has ended, and after
    it when everything was read; else it says what could not be read.
    """

    camera_id: str
    live: bool
    width: int
    height: int
    fps: float
    timestamp_origin: str
    fault: str

    def frames(self) -> Iterator[Frame] | Iterator[RecordedFrame]:
        """Every frame in order, with strictly increasing index and timestamp."""
        ...
