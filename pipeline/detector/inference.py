"""Images in and people out, around a network.

Images are letterboxed, and boxes mapped back; detections of two networks are compared.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.suppression import suppress
from pipeline.detector.yolo import Traits
from pipeline.sources.source import FramePicture
from trackers.detections import Detections, iou, valid_boxes

#: The padding value that YOLO networks were trained with.
_GREY = 114
#: Two networks agree when each detection of one with at least this score has a partner.
_SURE = 0.4


@dataclass(frozen=True, slots=True)
class Agreement:
    """A partner overlaps by at least ``iou``, and its score differs by at most ``score``."""

    iou: float
    score: float


#: Of the same network in another format.
SAME = Agreement(0.9, 0.05)
#: Of the same network in eight bits.
CLOSE = Agreement(0.75, 0.15)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """An image of ``source`` (height, width) scaled to ``inner`` and padded to ``outer``.

    ``left`` and ``top`` are the padding in pixels before the scaled image.
    """

    source: tuple[int, int]
    inner: tuple[int, int]
    outer: tuple[int, int]
    left: int
    top: int

    def apply(self, picture: FramePicture) -> NDArray[np.uint8]:
        """The scaled and padded copy of a picture: ``(*outer, 3)`` uint8 BGR."""
        height, width = self.inner
        canvas = np.full((*self.outer, 3), _GREY, np.uint8)
        inner = canvas[self.top : self.top + height, self.left : self.left + width]
        inner[:] = picture.resized(height, width)
        return canvas

    def to_source(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map boxes ``(N, 4)`` xyxy from the padded image to the source image, clipped to it."""
        (height, width), (inner_height, inner_width) = self.source, self.inner
        gain = np.array([inner_width / width, inner_height / height] * 2, np.float32)
        shift = np.array([self.left, self.top] * 2, np.float32)
        limit = np.array([width, height] * 2, np.float32)
        return np.asarray(np.clip((boxes - shift) / gain, 0, limit), np.float32)


def fit(source: tuple[int, int], size: int, stride: int) -> Letterbox:
    """Scale so that the longer side is ``size``, pad both to the next multiple of ``stride``."""
    inner, missing = _scale(source, (size, size))
    return _pad(source, inner, (missing[0] % stride, missing[1] % stride))


def fit_fixed(source: tuple[int, int], outer: tuple[int, int]) -> Letterbox:
    """Scale to fit into ``outer`` (height, width) and pad to exactly that."""
    inner, missing = _scale(source, outer)
    return _pad(source, inner, missing)


def _scale(
    source: tuple[int, int], outer: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size of the scaled image and the remaining padding to ``outer``, as (height, width)."""
    factor = min(outer[0] / source[0], outer[1] / source[1])
    inner = max(round(source[0] * factor), 1), max(round(source[1] * factor), 1)
    return inner, (outer[0] - inner[0], outer[1] - inner[1])


def _pad(source: tuple[int, int], inner: tuple[int, int], missing: tuple[int, int]) -> Letterbox:
    # An odd pixel of padding goes after the image, as in training.
    top, left = missing[0] // 2, missing[1] // 2
    outer = inner[0] + missing[0], inner[1] + missing[1]
    return Letterbox(source, inner, outer, left, top)


class DetectorNetwork(Protocol):
    """A detection network: padded images in, raw outputs out.

    ``fixed`` is the (height, width) of a network that accepts only that size.
    """

    device: str
    traits: Traits
    fixed: tuple[int, int] | None

    def start(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Any]:
        """Start to compute; gives one raw output for each padded BGR image, in order."""
        ...


def find_people(
    network: DetectorNetwork, pictures: Sequence[FramePicture], image_size: int, min_score: float
) -> list[Detections]:
    """The people in pictures of any sizes, best score first."""
    return start_search(network, pictures, image_size, min_score)()


def start_search(
    network: DetectorNetwork, pictures: Sequence[FramePicture], image_size: int, min_score: float
) -> Callable[[], list[Detections]]:
    """Let the network begin; what is returned waits for it and gives the result of `find_people`.

    It can be called once.
    """
    boxes = [_letterbox(picture.shape, network, image_size) for picture in pictures]
    padded = (box.apply(picture) for box, picture in zip(boxes, pictures, strict=True))
    outputs = network.start(padded)
    return lambda: [
        _to_detections(suppress(output, network.traits, min_score), box)
        for box, output in zip(boxes, outputs, strict=True)
    ]


def disagreement(one: Detections, other: Detections, how: Agreement = SAME) -> str | None:
    """What differs between two sets of detections in one image; None when they agree."""
    for found, partners in ((one, other), (other, one)):
        for box, score in zip(found.boxes, found.scores, strict=True):
            if score >= _SURE and not _has_partner(box, score, partners, how):
                return f"only one finds the person at {box.round().tolist()} (score {score:.2f})"
    return None


def _has_partner(
    box: NDArray[np.float32], score: np.float32, others: Detections, how: Agreement
) -> bool:
    close = np.abs(others.scores - score) <= how.score
    return bool((close & (iou(box[None], others.boxes)[0] >= how.iou)).any())


def _letterbox(source: tuple[int, int], network: DetectorNetwork, size: int) -> Letterbox:
    if network.fixed is not None:
        return fit_fixed(source, network.fixed)
    return fit(source, size, network.traits.stride)


def _to_detections(rows: NDArray[np.float32], letterbox: Letterbox) -> Detections:
    boxes = letterbox.to_source(rows[:, :4])
    # A box inside the padding has no area left.
    kept = valid_boxes(boxes)
    return Detections(boxes=boxes[kept], scores=rows[kept, 4])
