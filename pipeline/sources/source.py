"""Frames, and the interface of a source of frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame.

    ``index`` counts the frames of this camera from 0; ``timestamp`` is seconds UTC;
    ``image`` is ``(H, W, 3)`` uint8 BGR.
    """

    camera_id: str
    index: int
    timestamp: float
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """The recorded detections of one frame; ``timestamp`` is seconds UTC."""

    camera_id: str
    index: int
    timestamp: float
    detections: Detections


class Source(Protocol):
    """The opened source of one camera.

    ``width`` and ``height`` are pixels after rotation (0 = unknown), ``fps`` is the average rate
    (0 = unknown); those of a live camera may change. See also
    `pipeline.sources.camera_status.status_of`.
    """

    camera_id: str
    live: bool
    width: int
    height: int
    fps: float

    @property
    def span(self) -> tuple[float, float] | None:
        """About when it begins and ends, seconds UTC; None for a live camera."""
        ...

    @property
    def timestamp_origin(self) -> str:
        """Where timestamps come from: config, container, epoch, rtcp, arrival or recorded."""
        ...

    @property
    def fault(self) -> str:
        """What could not be read, once ``frames`` has ended; else empty."""
        ...

    def frames(self) -> Iterator[Frame] | Iterator[RecordedFrame]:
        """Every frame in order, with strictly increasing index and timestamp."""
        ...
