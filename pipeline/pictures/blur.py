"""Making people unrecognisable in a picture: a few averages of colour remain of them.

There is no face detector here. One that misses a turned head shows a face; the upper part of the
box of a person holds the head whichever way it is turned.
"""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from pipeline.config.schema import Blur

Image = NDArray[np.uint8]
Region = tuple[int, int, int, int]

# So many averages remain across the shorter side of what is blurred.
_CELLS = 3
_CELL_PX = 9
# A head is within this part of the height of a person who stands. Of a person who sits or is cut
# off at the waist the box is wider: then this part of the width counts.
_HEAD_HEIGHT, _HEAD_WIDTH = 0.3, 0.8
# Boxes are tight, and hair sticks out: so much more, of the box's width, on every side.
_MARGIN = 0.08


def blurred(image: Image, boxes: ArrayLike, how: Blur) -> Image:
    """``image`` ``(H, W, 3)`` uint8 BGR with everybody blurred: a new one, unless there is nothing
    to blur.

    ``boxes`` is ``(N, 4)`` xyxy pixels, one a person; they may reach over the border. For
    ``bodies`` the whole box is blurred, for ``faces`` the part of it in which a head can be. What
    is left is the mean colour of cells a third as wide as the blurred part, smoothed: it cannot be
    turned back.
    """
    regions = regions_of(boxes, how, image.shape[0], image.shape[1])
    if not regions:
        return image
    result = image.copy()
    for left, top, right, bottom in regions:
        result[top:bottom, left:right] = _coarse(image[top:bottom, left:right])
    return result


def regions_of(boxes: ArrayLike, how: Blur, height: int, width: int) -> list[Region]:
    """What `blurred` blurs of a picture of ``height`` x ``width``: left, top, right, bottom."""
    if how == "none":
        return []
    people = np.asarray(boxes, np.float64).reshape(-1, 4)
    parts = (_head(box) if how == "faces" else _body(box) for box in people)
    return [region for part in parts if (region := _within(part, height, width))]


def people_within(boxes: NDArray[np.float32], crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """``boxes`` ``(N, 4)`` as a picture shows them that was cut out at ``crop`` ``(4,)``, xyxy."""
    left, top = np.maximum(np.floor(crop[:2]), 0)
    return np.asarray(boxes - np.array([left, top, left, top], np.float32), np.float32)


def _head(box: NDArray[np.float64]) -> NDArray[np.float64]:
    x1, y1, x2, y2 = box
    height = min(max(_HEAD_HEIGHT * (y2 - y1), _HEAD_WIDTH * (x2 - x1)), y2 - y1)
    return _body(np.array([x1, y1, x2, y1 + height]))


def _body(box: NDArray[np.float64]) -> NDArray[np.float64]:
    margin = _MARGIN * (box[2] - box[0])
    return np.asarray(box + np.array([-margin, -margin, margin, margin]), np.float64)


def _within(part: NDArray[np.float64], height: int, width: int) -> Region | None:
    if not np.isfinite(part).all():
        return None
    left, top = max(int(np.floor(part[0])), 0), max(int(np.floor(part[1])), 0)
    right, bottom = min(int(np.ceil(part[2])), width), min(int(np.ceil(part[3])), height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _coarse(part: Image) -> Image:
    height, width = part.shape[:2]
    cell = max(min(height, width) / _CELLS, 1.0)
    few = max(round(width / cell), 1), max(round(height / cell), 1)
    means = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    # Smoothed while it is small: a large blur of a large picture takes seconds.
    cells = np.repeat(np.repeat(means, _CELL_PX, axis=0), _CELL_PX, axis=1)
    smooth = cv2.GaussianBlur(cells, (0, 0), _CELL_PX / 3)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


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
