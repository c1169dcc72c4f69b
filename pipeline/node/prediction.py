"""Where tracked people are between the frames that the detector sees."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections, no_detections, valid_boxes

# A person who was last seen longer ago has not kept the speed.
_LONGEST_S = 0.5
Boxes = NDArray[np.float32]


class Prediction:
    """Moves the boxes of one camera's tracks on at their speed.

    The speed is the mean of what it was and what the last two boxes give, because each box is off
    by some pixels.
    """

    def __init__(self) -> None:
        self._tracked = no_detections()
        self._timestamp = 0.0
        self._speeds: Boxes = np.zeros((0, 4), np.float32)

    def update(self, tracked: Detections, timestamp: float) -> None:
        """Take over the tracked detections of a frame, of which each id is that of a track."""
        assert tracked.track_ids is not None
        assert self._tracked.track_ids is not None
        rows = {track_id: row for row, track_id in enumerate(self._tracked.track_ids.tolist())}
        gap_s = timestamp - self._timestamp
        speeds = np.zeros((len(tracked), 4), np.float32)
        for row, track_id in enumerate(tracked.track_ids.tolist()):
            before = rows.get(track_id)
            if before is not None and 0 < gap_s <= _LONGEST_S:
                moved = tracked.boxes[row] - self._tracked.boxes[before]
                speeds[row] = (self._speeds[before] + moved / gap_s) / 2
        self._tracked, self._timestamp, self._speeds = tracked, timestamp, speeds

    def at(self, timestamp: float, size: tuple[int, int]) -> Detections:
        """The detections moved on to a later moment, inside a picture of height and width."""
        after_s = timestamp - self._timestamp
        if after_s > _LONGEST_S:
            return self._tracked.take(np.zeros(0, np.intp))
        height, width = size
        boxes = self._tracked.boxes + self._speeds * np.float32(after_s)
        if height and width:
            boxes = boxes.clip(0, np.array([width, height] * 2, np.float32))
        kept = valid_boxes(boxes)
        return replace(self._tracked.take(kept), boxes=np.asarray(boxes[kept], np.float32))
