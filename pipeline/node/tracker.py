"""The single-camera tracker of a camera, and the rate at which it is followed.

An overloaded node leaves out frames of a live camera. Then the boxes of a person hardly overlap
from one frame to the next, and the time that a tracker keeps a lost track passes between two
frames.
"""

import math
from collections import deque
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import TrackerConfig
from pipeline.errors import UserError, unknown_name
from trackers.detections import Detections
from trackers.single_camera.boxmot import DEFAULT_TRACKER, TRACKER_NAMES, SingleCameraTracker
from trackers.single_camera.link import LinkTracker

#: The tracker that is not from boxmot, and the selection by frame rate.
LINK, AUTO = "link", "auto"

# At lower frame rates the boxes of one person in consecutive frames hardly overlap.
_FEW_FPS = 8.0

# The tracker for few frames a second from this rate down, and the other from that one up.
_LOW_FPS, _HIGH_FPS = 6.0, 9.0
# The median of this many gaps decides.
_FRAMES = 8
# Each change of the tracker ends all tracks, so it is not undone sooner than after this long.
_DWELL_S = 20.0
# A lost track is kept for this many frames.
_KEPT_FRAMES = 3.0
# A camera that was silent for longer is no slow one.
_LONGEST_GAP_S = 5.0
_STEP_S = 0.001


class PeopleTracker(Protocol):
    """The tracker of one camera."""

    def update(
        self, detections: Detections, image: NDArray[np.uint8] | None, timestamp: float
    ) -> Detections:
        """The detections of the next frame that belong to a track, with ``track_ids`` filled.

        ``image`` is ``(H, W, 3)`` uint8 BGR, None with recorded detections; ``timestamp`` is
        seconds UTC and increases. An id is at least 1, unique in a frame and never reused.
        """


def tracker_name(config: TrackerConfig, fps: float) -> str:
    """The name of the tracker for ``fps``: the configured one, or with ``auto`` a suitable one.

    With options ``auto`` selects boxmot's default tracker, to which the options belong.
    """
    if config.name != AUTO:
        return config.name
    return LINK if 0 < fps < _FEW_FPS and not config.options else DEFAULT_TRACKER


def open_tracker(config: TrackerConfig, fps: float) -> SingleCameraTracker | LinkTracker:
    """Open the single-camera tracker of ``config``. Raises UserError for a bad name or option."""
    name = tracker_name(config, fps)
    if name == LINK:
        if config.options:
            raise UserError(f"tracker {LINK} takes no options, got {', '.join(config.options)}")
        return LinkTracker(buffer_s=config.buffer_s)
    if name not in TRACKER_NAMES:
        raise unknown_name("tracker", name, [AUTO, LINK, *TRACKER_NAMES])
    try:
        return SingleCameraTracker(
            name,
            buffer_s=config.buffer_s,
            fps=fps,
            use_embeddings=config.embeddings,
            options=config.options,
        )
    except ValueError as error:
        raise UserError(f"tracker: {error}") from error


class FollowedRate:
    """Measures the rate of a live camera that sends ``fps`` frames a second.

    Unless it ``switches``, the tracker stays the same at every rate.
    """

    def __init__(self, config: TrackerConfig, fps: float, *, switches: bool = True) -> None:
        self.is_low = False
        self._config = config
        self._fps = fps
        # A single loss says nothing about the rate.
        self._gaps = deque([1 / fps] * _FRAMES, maxlen=_FRAMES)
        self._low_since = -math.inf
        self._previous: float | None = None
        self._switches = switches and config.name == AUTO and tracker_name(config, fps) != LINK

    @property
    def buffer_s(self) -> float:
        """How long a lost track is kept, in seconds."""
        return max(self._config.buffer_s, _KEPT_FRAMES * median(self._gaps))

    def fitting(self, tracker: PeopleTracker, timestamp: float) -> PeopleTracker:
        """``tracker``, or another one that fits the rate from the frame at ``timestamp`` on.

        Another one starts new tracks.
        """
        if self._previous is not None:
            self._gaps.append(max(min(timestamp - self._previous, _LONGEST_GAP_S), _STEP_S))
        self._previous = timestamp
        was_low, rate = self.is_low, 1 / median(self._gaps)
        least = min(self._fps, _HIGH_FPS if was_low else _LOW_FPS)
        # One that sends few frames itself is low where a good part of these is left out.
        self.is_low = rate < 0.9 * least
        if was_low and not self.is_low:
            self.is_low = timestamp - self._low_since < _DWELL_S
        elif self.is_low and not was_low:
            self._low_since = timestamp
        if self._switches and self.is_low != was_low:
            if self.is_low:
                return LinkTracker(buffer_s=self.buffer_s)
            return open_tracker(self._config, self._fps)
        if isinstance(tracker, LinkTracker):
            tracker.keep_for(self.buffer_s)
        return tracker
