"""Convert a network's raw output to detections, and compare two sets of detections."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.geometry import Letterbox, fit, fit_fixed
from pipeline.detector.yolo import Traits, suppress
from trackers.detections import Detections, iou, valid_boxes

#: Two networks agree when each detection of one with at least this score ...
_SURE = 0.4
#: ... overlaps a detection of the other by at least this IoU ...
_SAME_IOU = 0.9
#: ... whose score differs by at most this.
_SAME_SCORE = 0.05


class DetectorNetwork(Protocol):
    """A detection network: padded images in, raw outputs out.

    ``fixed`` is the (height, width) of a network that accepts only that size.
    """

    device: str
    traits: Traits
    fixed: tuple[int, int] | None

    def run(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Any]:
        """One raw output for each padded BGR image, in order."""
        ...


def find_people(
    network: DetectorNetwork, images: list[NDArray[np.uint8]], image_size: int, min_score: float
) -> list[Detections]:
    """The people in BGR images ``(H, W, 3)`` uint8 of any sizes, best score first."""
    boxes = [_letterbox(image, network, image_size) for image in images]
    padded = (box.apply(image) for box, image in zip(boxes, images, strict=True))
    return [
        _to_detections(suppress(output, network.traits, min_score), box)
        for box, output in zip(boxes, network.run(padded), strict=True)
    ]


def disagreement(one: Detections, other: Detections) -> str | None:
    """What differs between two sets of detections in one image; None when they agree."""
    for found, partners in ((one, other), (other, one)):
        for box, score in zip(found.boxes, found.scores, strict=True):
            if score >= _SURE and not _has_partner(box, score, partners):
                return f"only one finds the person at {box.round().tolist()} (score {score:.2f})"
    return None


def _has_partner(box: NDArray[np.float32], score: np.float32, others: Detections) -> bool:
    close = np.abs(others.scores - score) <= _SAME_SCORE
    return bool((close & (iou(box[None], others.boxes)[0] >= _SAME_IOU)).any())


def _letterbox(image: NDArray[np.uint8], network: DetectorNetwork, size: int) -> Letterbox:
    source = image.shape[0], image.shape[1]
    if network.fixed is not None:
        return fit_fixed(source, network.fixed)
    return fit(source, size, network.traits.stride)


def _to_detections(rows: NDArray[np.float32], letterbox: Letterbox) -> Detections:
    boxes = letterbox.to_source(rows[:, :4])
    # A box inside the padding has no area left.
    kept = valid_boxes(boxes)
    return Detections(boxes=boxes[kept], scores=rows[kept, 4])
