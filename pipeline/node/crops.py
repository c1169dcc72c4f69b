"""Cutting people out of frames, and how good a cut is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.pictures.blur import people_within
from trackers.crop_quality import crop_quality, geometry_quality
from trackers.detections import Detections


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A person cut out of a frame, ``(H, W, 3)`` uint8 BGR, or an embedding that is known already,
    ``(D,)`` float32; or both.

    ``people`` is ``(N, 4)`` xyxy pixels of the crop: everybody of the frame, the person among them.
    """

    image: NDArray[np.uint8] | None
    embedding: NDArray[np.float32] | None
    people: NDArray[np.float32]


def cut(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The part of ``image`` ``(H, W, 3)`` inside ``box`` ``(4,)`` xyxy: a view of at least 1x1."""
    height, width = image.shape[:2]
    left = int(np.clip(box[0], 0, width - 1))
    top = int(np.clip(box[1], 0, height - 1))
    right = int(np.clip(np.ceil(box[2]), left + 1, width))
    bottom = int(np.clip(np.ceil(box[3]), top + 1, height))
    return image[top:bottom, left:right]


def crop_of(detections: Detections, row: int, image: NDArray[np.uint8] | None) -> Crop:
    """The crop of one detection, with pixels of its own."""
    embedding = None if detections.embeddings is None else detections.embeddings[row]
    pixels = None if image is None else cut(image, detections.boxes[row]).copy()
    return Crop(pixels, embedding, people_within(detections.boxes, detections.boxes[row]))


def qualities(
    detections: Detections, image: NDArray[np.uint8] | None, size: tuple[int, int]
) -> NDArray[np.float32]:
    """``(N,)`` in 0..1: how much each crop shows of a person.

    Without pixels the boxes say, in a picture of ``size``, its height and width in pixels.
    """
    if image is not None:
        return crop_quality(detections.boxes, image, detections.scores)
    return geometry_quality(detections.boxes, size, detections.scores)
