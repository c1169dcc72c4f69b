"""The walk of one person, cut out of a clip of a standing camera, and the place without them."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import ultralytics_module
from pipeline.weights import weights_path

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]

#: Frames of the walk in the clip: three times two steps, so that it goes round without a jump.
FIRST, LAST, EVERY = 69, 177, 3
#: Pictures of the walk in a second.
FPS = 10.0
# Of what is detected, the walker is this large; the other person of the clip stands far away.
_LEAST_HEIGHT_PX, _LEAST_FEET_PX, _SURE = 250, 700, 0.3
_NETWORK_PX, _CLOSE_PX = 960, 640
# A pixel this different from the empty place is not the place.
_DIFFERENT = 24
_SOFT_PX = 1.2
# The head is in this part of the height.
_HEAD = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class WalkFrame:
    """A moment of the walk, to the left: ``image`` ``(H, W, 3)`` uint8 BGR, ``mask`` ``(H, W)``
    uint8, 255 on the person, and the column of the ``head``.
    """

    image: Image
    mask: Mask
    head: float

    def mirrored(self) -> "WalkFrame":
        """The same, to the right."""
        image, mask = (
            np.ascontiguousarray(self.image[:, ::-1]),
            np.ascontiguousarray(self.mask[:, ::-1]),
        )
        return WalkFrame(image, mask, self.mask.shape[1] - 1 - self.head)


def cut_out(clip: Path) -> tuple[Image, list[WalkFrame]]:
    """The empty place, and the steps of the walk. Raises ValueError when they are not found."""
    frames = _frames(clip)
    if len(frames) < LAST:
        raise ValueError(f"{clip} has {len(frames)} frames, expected at least {LAST}")
    place = np.median(np.stack(frames[::8]), axis=0).astype(np.uint8)
    network = ultralytics_module("models").YOLO(weights_path("yolo26n-seg", kind="detector"))
    steps = [_step(frames[n], place, network) for n in range(FIRST, LAST, EVERY)]
    return place, steps


def _frames(clip: Path) -> list[Image]:
    capture, frames = cv2.VideoCapture(str(clip)), list[Image]()
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    capture.release()
    return frames


def _step(frame: Image, place: Image, network: object) -> WalkFrame:
    x1, y1, x2, y2 = _walker(frame, network)
    middle, half = ((x1 + x2) / 2, (y1 + y2) / 2), int((y2 - y1) * 0.62)
    near, behind = _around(frame, middle, half), _around(place, middle, half)
    found = network.predict(near, imgsz=_CLOSE_PX, classes=[0], retina_masks=True, verbose=False)[0]  # type: ignore[attr-defined]
    boxes = found.boxes.xyxy.numpy()
    largest = int(np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))
    mask = _refined((found.masks.data[largest].numpy() > 0.5).astype(np.uint8), near, behind)
    x, y, width, height = cv2.boundingRect(mask)
    inside = slice(y, y + height), slice(x, x + width)
    soft = cv2.GaussianBlur(mask * 255, (0, 0), _SOFT_PX)[inside]
    head = np.nonzero(mask[y : y + int(height * _HEAD)])[1].mean() - x
    return WalkFrame(near[inside].copy(), np.asarray(soft, np.uint8), float(head))


def _walker(frame: Image, network: object) -> NDArray[np.float32]:
    found = network.predict(frame, imgsz=_NETWORK_PX, classes=[0], verbose=False)[0].boxes  # type: ignore[attr-defined]
    boxes, scores = found.xyxy.numpy(), found.conf.numpy()
    tall = boxes[:, 3] - boxes[:, 1] > _LEAST_HEIGHT_PX
    near = boxes[tall & (boxes[:, 3] > _LEAST_FEET_PX) & (scores > _SURE)]
    if not len(near):
        raise ValueError("nobody walks in a frame of the clip")
    return np.asarray(near[0])


def _around(image: Image, middle: tuple[float, float], half: int) -> Image:
    """The square of twice ``half`` around a place, which may reach over the border."""
    wide = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE)
    x, y = int(middle[0]), int(middle[1])
    return np.ascontiguousarray(wide[y : y + 2 * half, x : x + 2 * half], np.uint8)


def _refined(mask: Mask, near: Image, behind: Image) -> Mask:
    """``mask`` with the edges that the difference from the empty place shows, in one piece."""
    different = np.abs(near.astype(np.int16) - behind).max(axis=2) > _DIFFERENT
    closed = cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7)))
    inner, outer = cv2.erode(mask, np.ones((7, 7))), cv2.dilate(mask, np.ones((9, 9)))
    person = (outer > 0) & ((closed > 0) | (inner > 0))
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(person.astype(np.uint8))
    largest = int(sizes[1:, cv2.CC_STAT_AREA].argmax()) + 1
    return np.asarray(labels == largest, np.uint8)
