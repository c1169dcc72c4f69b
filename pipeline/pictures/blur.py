"""Blur people in pictures so that only a few average colours remain.

No face detector is used, because one that misses a head would show a face: the upper part of a
person's box contains the head, whichever way it is turned.
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

# Number of average colours that remain across the shorter side of a blurred region.
_CELLS = 3
_CELL_PX = 9
# The head of a standing person is within this share of the box height. The box of a person who
# sits or is cut off at the waist is relatively wider: then this share of the width applies.
_HEAD_HEIGHT, _HEAD_WIDTH = 0.3, 0.8
# Boxes are tight, and hair extends beyond them: margin on every side, as a share of the box width.
_MARGIN = 0.08


def blurred(image: Image, boxes: ArrayLike, how: Blur) -> Image:
    """``image`` ``(H, W, 3)`` uint8 BGR with all people blurred; a copy if anything is blurred.

    ``boxes`` is ``(N, 4)`` xyxy pixels, one per person; they may extend beyond the image. For
    ``bodies`` the whole box is blurred, for ``faces`` the part that contains the head. Only the
    smoothed mean colours of cells a third as wide as the region remain, so the blur is
    irreversible.
    """
    regions = regions_of(boxes, how, image.shape[0], image.shape[1])
    if not regions:
        return image
    result = image.copy()
    for left, top, right, bottom in regions:
        result[top:bottom, left:right] = _coarse(image[top:bottom, left:right])
    return result


def regions_of(boxes: ArrayLike, how: Blur, height: int, width: int) -> list[Region]:
    """The regions that `blurred` blurs in an image of ``height`` x ``width``, xyxy pixels."""
    if how == "none":
        return []
    people = np.asarray(boxes, np.float64).reshape(-1, 4)
    parts = (_head(box) if how == "faces" else _body(box) for box in people)
    return [region for part in parts if (region := _within(part, height, width))]


def boxes_in_crop(boxes: NDArray[np.float32], crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """``boxes`` ``(N, 4)`` xyxy in the coordinates of a crop at the box ``crop`` ``(4,)``."""
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
    # Smoothed at a small size: a large blur of a large image takes seconds.
    cells = np.repeat(np.repeat(means, _CELL_PX, axis=0), _CELL_PX, axis=1)
    smooth = cv2.GaussianBlur(cells, (0, 0), _CELL_PX / 3)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


Boxes = NDArray[np.float64]

# A track begins some frames after the person appears, and ends before the person is gone.
_BEYOND_S = 0.5
# After a longer gap the person is assumed to have been absent.
_GAP_S = 2.0
_DEFAULT_FPS = 25.0
# A person who is not detected may have moved: margin on both sides, as a share of the box width.
_WIDER = 0.25


def boxes_to_blur(
    observations: pl.DataFrame, fps: Mapping[str, float], *, fill_gaps: bool = True
) -> Mapping[tuple[str, int], Boxes]:
    """Boxes ``(N, 4)`` xyxy pixels of all people in a frame, by camera and frame index.

    ``observations`` are those of `RunDirectory.observations`, ``fps`` the frames per second of
    each camera. ``fill_gaps`` adds boxes in frames in which the detector missed a tracked person.
    """
    frames: dict[tuple[str, int], list[Boxes]] = defaultdict(list)
    columns = ("frame_index", "x1", "y1", "x2", "y2")
    tracks = observations.partition_by("camera_id", "track_id", as_dict=True)
    for (camera_id, _), rows in tracks.items():
        indices = rows["frame_index"].to_numpy()
        boxes = rows.select(pl.col(columns[1:]).cast(pl.Float64)).to_numpy()
        found = [(int(index), box) for index, box in zip(indices, boxes, strict=True)]
        rate = fps.get(str(camera_id)) or _DEFAULT_FPS
        for index, box in found + (_gap_boxes(found, rate) if fill_gaps else []):
            frames[str(camera_id), index].append(box)
    return {key: np.array(boxes) for key, boxes in frames.items()}


def _gap_boxes(found: list[tuple[int, Boxes]], fps: float) -> list[tuple[int, Boxes]]:
    """Boxes of one track in frames without a detection: in its gaps, before it and after it."""
    beyond, longest = round(_BEYOND_S * fps), round(_GAP_S * fps)
    first, last = found[0], found[-1]
    added = [(first[0] - step, _widened(first[1])) for step in range(1, beyond + 1)]
    added += [(last[0] + step, _widened(last[1])) for step in range(1, beyond + 1)]
    for (before, left), (after, right) in pairwise(found):
        if after - before <= longest:
            both = np.concatenate([np.minimum(left, right)[:2], np.maximum(left, right)[2:]])
            added += [(index, _widened(both)) for index in range(before + 1, after)]
    return added


def _widened(box: Boxes) -> Boxes:
    more = _WIDER * (box[2] - box[0])
    return np.asarray(box + np.array([-more, 0.0, more, 0.0]), np.float64)
