"""People cut out of their crops by instance segmentation; where it is doubtful, left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import ultralytics_module
from pipeline.weights import weights_path

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]
#: Masks ``(256, 128)`` uint8 0..255 of BGR crops; zeros where there is no one person.
Segment = Callable[[Sequence[Image]], list[Mask]]

#: Width and height to which a crop is scaled before it is cut out.
CROP_SIZE = 128, 256
# The network needs some background around a person.
_MARGIN = 32, 96
_AT_ONCE, _NETWORK_PX = 16, 320
_SURE = 0.6
# The share of the crop that a mask covers is in this range, and at least this of its height.
_SHARE, _TALL = (0.15, 0.7), 0.85
# At least this share of a mask is one piece.
_WHOLE = 0.95
_SOFT_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person: ``image`` ``(H, W, 3)`` uint8 BGR, ``mask`` ``(H, W)`` uint8, 255 on the person.

    The mask touches all four borders.
    """

    image: Image
    mask: Mask


def read_cutouts(
    paths: Sequence[Path], kept: Path, open_network: Callable[[], Segment]
) -> list[Cutout | None]:
    """The person in each picture, None where the mask is doubtful.

    Masks are taken from the folder ``kept``, or put there, named like the pictures.
    """
    kept.mkdir(parents=True, exist_ok=True)
    missing = [path for path in paths if not _mask_file(kept, path).exists()]
    for first in range(0, len(missing), _AT_ONCE):
        some = missing[first : first + _AT_ONCE]
        for path, mask in zip(some, open_network()([_read(path) for path in some]), strict=True):
            cv2.imwrite(str(_mask_file(kept, path)), mask)
    return [_cutout(path, kept) for path in paths]


def one_person(masks: NDArray[np.float32], scores: NDArray[np.float32]) -> Mask:
    """The mask of the one person in a crop, without holes; zeros where it is doubtful.

    ``masks`` is ``(N, H, W)`` 0..1 and ``scores`` ``(N,)``, best first.
    """
    nobody = np.zeros(masks.shape[1:], np.uint8)
    if not len(masks) or scores[0] < _SURE:
        return nobody
    solid = np.asarray(masks[0] > 0.5, np.uint8)
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return nobody
    largest = int(sizes[1:, cv2.CC_STAT_AREA].argmax()) + 1
    area, height = sizes[largest, cv2.CC_STAT_AREA], sizes[largest, cv2.CC_STAT_HEIGHT]
    share = area / solid.size
    if area < _WHOLE * solid.sum() or not _SHARE[0] <= share <= _SHARE[1]:
        return nobody
    if height < _TALL * solid.shape[0]:
        return nobody
    outlines, _ = cv2.findContours(
        np.asarray(labels == largest, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return np.asarray(cv2.drawContours(nobody, outlines, -1, 255, cv2.FILLED), np.uint8)


def open_segmentation() -> Segment:
    """Instance segmentation by yolo26n-seg, on the CPU."""
    network = ultralytics_module("models").YOLO(weights_path("yolo26n-seg", kind="detector"))
    below, beside = _MARGIN

    def segment(images: Sequence[Image]) -> list[Mask]:
        bordered = [
            cv2.copyMakeBorder(image, below, below, beside, beside, cv2.BORDER_REPLICATE)
            for image in images
        ]
        found = network.predict(
            bordered, imgsz=_NETWORK_PX, classes=[0], retina_masks=True, verbose=False
        )
        return [_inside(result) for result in found]

    def _inside(result: Any) -> Mask:
        width, height = CROP_SIZE
        if result.masks is None:
            return np.zeros((height, width), np.uint8)
        masks = result.masks.data.numpy()[:, below : below + height, beside : beside + width]
        return one_person(masks, result.boxes.conf.numpy())

    return segment


def _mask_file(kept: Path, path: Path) -> Path:
    return kept / f"{path.stem}.png"


def _read(path: Path) -> Image:
    picture = np.asarray(cv2.imread(str(path)), np.uint8)
    return np.asarray(cv2.resize(picture, CROP_SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def _cutout(path: Path, kept: Path) -> Cutout | None:
    mask = np.asarray(cv2.imread(str(_mask_file(kept, path)), cv2.IMREAD_GRAYSCALE), np.uint8)
    if not mask.any():
        return None
    x, y, width, height = cv2.boundingRect(mask)
    rows, columns = slice(y, y + height), slice(x, x + width)
    return Cutout(_read(path)[rows, columns], mask[rows, columns])


def placed(cutout: Cutout, height: float) -> tuple[Image, NDArray[np.float32], NDArray[np.bool_]]:
    """The person at ``height`` pixels: the image, how opaque it is (soft at the edges), and where
    the person is."""
    size = max(round(cutout.mask.shape[1] * height / cutout.mask.shape[0]), 1), round(height)
    image = cv2.resize(cutout.image, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(cutout.mask, size, interpolation=cv2.INTER_AREA)
    opaque = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), _SOFT_PX)
    return np.asarray(image, np.uint8), np.asarray(opaque, np.float32), mask > 127
