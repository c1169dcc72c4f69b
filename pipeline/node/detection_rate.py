"""Which frames of a camera the detector must see.

A frame that looks like the last one that the detector saw has the same people in it. Where
something moves, the detector sees a limited number of frames a second, and between these the tracks
move on at their speed. All that depends on the pictures and their times alone, so a recording
gives the same results on every machine.
"""

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sources.source import Frame, FramePicture

# The longer side of the small pictures that are compared.
_SMALL_PX = 320
# Noise of a camera and of compression changes fewer grey levels, after smoothing, ...
_CHANGED = 12
# ... and a distant person who moves changes more pixels.
_PIXELS = 6
# A still picture is looked at again after this long: very slow changes may go unnoticed.
_AGAIN_S = 10.0
# A frame that is early by this much is not left out: timestamps are rounded.
_EARLY_S = 1e-3


class Need(Enum):
    """What is to be done with a frame: detect, use the detections of the last frame that was
    detected, or only move the tracks on."""

    DETECT = "detect"
    SAME = "same"
    BETWEEN = "between"


@dataclass(slots=True)
class _Camera:
    detected_at: float
    step_at: float
    picture: NDArray[np.uint8]


class DetectionRate:
    """Decides for each frame of the cameras of a node, in their order.

    Each camera is looked at no more often than ``most_per_s`` times a second.
    """

    def __init__(self, most_per_s: float) -> None:
        self._interval_s = 1 / most_per_s - _EARLY_S
        self._cameras: dict[str, _Camera] = {}

    def need(self, frame: Frame) -> Need:
        """What is to be done with the next frame of its camera."""
        last = self._cameras.get(frame.camera_id)
        if last is not None and frame.timestamp - last.step_at < self._interval_s:
            return Need.BETWEEN
        picture = small(frame.picture)
        if last is not None and not _is_other(last, frame.timestamp, picture):
            last.step_at = frame.timestamp
            return Need.SAME
        self._cameras[frame.camera_id] = _Camera(frame.timestamp, frame.timestamp, picture)
        return Need.DETECT

    def remove(self, camera_id: str) -> None:
        """Forget a camera, whose times may begin again."""
        self._cameras.pop(camera_id, None)


def _is_other(last: _Camera, timestamp: float, picture: NDArray[np.uint8]) -> bool:
    return timestamp - last.detected_at >= _AGAIN_S or differ(last.picture, picture)


def small(picture: FramePicture) -> NDArray[np.uint8]:
    """A small, smooth grey copy of a picture: ``(h, w)`` uint8."""
    grey = picture.grey(max(1, round(max(picture.shape) / _SMALL_PX)))
    return np.asarray(cv2.blur(grey, (3, 3)), np.uint8)


def differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether something moved between two small pictures."""
    if one.shape != other.shape:
        return True
    return int(np.count_nonzero(cv2.absdiff(one, other) > _CHANGED)) >= _PIXELS
