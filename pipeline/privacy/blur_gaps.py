"""Whom to blur in each frame of a video, also where the detector missed them for a moment.

A person whose face shows in one frame of a hundred is not blurred. So the boxes of a track are
carried over its gaps, and a little way before its first and after its last.
"""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

Boxes = NDArray[np.float64]

# A track begins some frames after its person came, and ends when they are hardly seen any more.
_BEYOND_S = 0.5
# A gap longer than this is one of a person who was away.
_GAP_S = 2.0
_DEFAULT_FPS = 25.0
# Where somebody is not seen they have moved: so much more, of the box's width, on both sides.
_WIDER = 0.25


def boxes_to_blur(
    observations: pl.DataFrame, fps: Mapping[str, float], *, carried: bool = True
) -> Mapping[tuple[str, int], Boxes]:
    """``(N, 4)`` xyxy pixels of everybody in a frame, by camera and frame index.

    ``observations`` are as in `RunDirectory.observations`, ``fps`` the frames a second of each
    camera. Without ``carried`` only what was seen.
    """
    frames: dict[tuple[str, int], list[Boxes]] = defaultdict(list)
    columns = ("frame_index", "x1", "y1", "x2", "y2")
    tracks = observations.partition_by("camera_id", "track_id", as_dict=True)
    for (camera_id, _), rows in tracks.items():
        indices = rows["frame_index"].to_numpy()
        boxes = rows.select(pl.col(columns[1:]).cast(pl.Float64)).to_numpy()
        found = [(int(index), box) for index, box in zip(indices, boxes, strict=True)]
        rate = fps.get(str(camera_id)) or _DEFAULT_FPS
        for index, box in found + (_carried(found, rate) if carried else []):
            frames[str(camera_id), index].append(box)
    return {key: np.array(boxes) for key, boxes in frames.items()}


def _carried(found: list[tuple[int, Boxes]], fps: float) -> list[tuple[int, Boxes]]:
    """The boxes of one track in the frames between and beside those in which it was found."""
    beyond, longest = round(_BEYOND_S * fps), round(_GAP_S * fps)
    first, last = found[0], found[-1]
    carried = [(first[0] - step, _wider(first[1])) for step in range(1, beyond + 1)]
    carried += [(last[0] + step, _wider(last[1])) for step in range(1, beyond + 1)]
    for (before, left), (after, right) in pairwise(found):
        if after - before <= longest:
            both = np.concatenate([np.minimum(left, right)[:2], np.maximum(left, right)[2:]])
            carried += [(index, _wider(both)) for index in range(before + 1, after)]
    return carried


def _wider(box: Boxes) -> Boxes:
    more = _WIDER * (box[2] - box[0])
    return np.asarray(box + np.array([-more, 0.0, more, 0.0]), np.float64)
