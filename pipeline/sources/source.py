"""Frames, and the interface of a source of frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections

Image = NDArray[np.uint8]


class FramePicture(Protocol):
    """A picture as a player shows it, upright; ``shape`` is (height, width)."""

    shape: tuple[int, int]

    @property
    def image(self) -> Image:
        """All of it: ``(H, W, 3)`` uint8 BGR."""
        ...

    def resized(self, height: int, width: int) -> Image:
        """A bilinearly resized copy: ``(height, width, 3)`` uint8 BGR."""
        ...

    def cut(self, left: int, top: int, right: int, bottom: int) -> Image:
        """A part of it: ``(bottom - top, right - left, 3)`` uint8 BGR. It may be a view."""
        ...

    def brightness(self, left: int, top: int, right: int, bottom: int) -> Image:
        """The brightness of a part: ``(bottom - top, right - left)`` uint8."""
        ...

    def grey(self, step: int) -> Image:
        """The brightness of every ``step``-th pixel in both directions: ``(h, w)`` uint8."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame.

    ``index`` counts the frames of this camera from 0; ``timestamp`` is seconds UTC.
    """

    camera_id: str
    index: int
    timestamp: float
    picture: FramePicture

    @property
    def image(self) -> Image:
        """The whole picture: ``(H, W, 3)`` uint8 BGR."""
        return self.picture.image


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
