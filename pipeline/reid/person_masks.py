"""Two networks that tell the person of a crop from everything else: YOLO26n-seg and BlazePose."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import ultralytics_module
from pipeline.weights import weights_path
from reid_model.data.person_masks import PersonMasks, agreed, resized
from reid_model.openvino_runtime import core, read_network

Image = NDArray[np.uint8]

#: Width and height to which a crop is scaled before a network sees it.
_CROP = 128, 256
# Both need some background around a person; a square each.
_YOLO_BORDER, _YOLO_PX = (32, 96), 320
_POSE_CROP, _POSE_BORDER, _POSE_PX = (112, 224), (16, 72), 256
_JOINTS = 33
_AT_ONCE = 16


class PersonMasker:
    """Masks and joints of crops, on the CPU."""

    def __init__(self) -> None:
        path = weights_path("yolo26n-seg", kind="detector")
        self._yolo = ultralytics_module("models").YOLO(path)
        pose = read_network(weights_path("blazepose-heavy", kind="pose"))
        self._pose = core().compile_model(pose, "CPU", {"PERFORMANCE_HINT": "LATENCY"})

    def __call__(self, names: Sequence[str], crops: Sequence[Image]) -> PersonMasks:
        """What both networks see of BGR crops of any size, called ``names``."""
        instances = [mask for some in _batches(crops) for mask in self._instances(some)]
        poses = [self._pose_of(crop) for crop in crops]
        both = [
            agreed(resized(one), resized(other))
            for one, (other, _) in zip(instances, poses, strict=True)
        ]
        return PersonMasks(
            tuple(names),
            np.stack([mask for mask, _ in both]),
            np.array([overlap for _, overlap in both], np.float32),
            np.stack([joints for _, joints in poses]),
        )

    def _instances(self, crops: Sequence[Image]) -> list[NDArray[np.float32]]:
        """Masks ``(256, 128)`` 0..1 of the surest person; zeros where there is none."""
        bordered = [_bordered(crop, _CROP, _YOLO_BORDER) for crop in crops]
        found = self._yolo.predict(
            bordered, imgsz=_YOLO_PX, classes=[0], retina_masks=True, verbose=False
        )
        return [_surest(result) for result in found]

    def _pose_of(self, crop: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mask ``(224, 112)`` 0..1 and the joints of one crop, see `PersonMasks`."""
        square = _bordered(crop, _POSE_CROP, _POSE_BORDER)
        found = self._pose(cv2.cvtColor(square, cv2.COLOR_BGR2RGB)[None].astype(np.float32) / 255)
        above, beside = _POSE_BORDER
        width, height = _POSE_CROP
        logits = found[2][0, above : above + height, beside : beside + width, 0]
        points = found[0].reshape(-1, 5)[:_JOINTS]
        joints = np.stack(
            [
                (points[:, 0] - beside) / width,
                (points[:, 1] - above) / height,
                _sigmoid(np.minimum(points[:, 3], points[:, 4])),
            ],
            axis=1,
        )
        return _sigmoid(logits), joints.astype(np.float32)


def _batches(crops: Sequence[Image]) -> Iterator[Sequence[Image]]:
    return (crops[first : first + _AT_ONCE] for first in range(0, len(crops), _AT_ONCE))


def _bordered(crop: Image, size: tuple[int, int], border: tuple[int, int]) -> Image:
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    above, beside = border
    return np.asarray(
        cv2.copyMakeBorder(scaled, above, above, beside, beside, cv2.BORDER_REPLICATE), np.uint8
    )


def _surest(result: Any) -> NDArray[np.float32]:
    width, height = _CROP
    if result.masks is None:
        return np.zeros((height, width), np.float32)
    above, beside = _YOLO_BORDER
    mask = result.masks.data[0, above : above + height, beside : beside + width]
    return np.asarray(mask.numpy(), np.float32)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)
