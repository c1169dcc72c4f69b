"""Make masks and joints of the people in training pictures, and a sheet of samples to check.

Two networks tell the person of a crop from everything else: YOLO26n-seg and BlazePose.

    FUSETRACK_DATA=FOLDER python scripts/person_masks.py OUT.npz --pictures "reid/cuhk03/val/*"

``OUT.npz`` is made of what is missing in it, and may be stopped at any time; with ``--sheet`` a
picture of samples is written instead: the trusted in green, left out in red, with the joints.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import ultralytics_module
from pipeline.weights import weights_path
from reid_model.data.person_masks import (
    PERSON,
    UNKNOWN,
    PersonMasks,
    agreed,
    joined_masks,
    read_masks,
    resized,
    save_masks,
)
from reid_model.openvino_runtime import core, read_network

Image = NDArray[np.uint8]

_AT_ONCE, _SAVED_AFTER = 32, 8
_TALL, _WIDE, _COLUMNS = 256, 128, 12
_SEEN = 0.5
#: Width and height to which a crop is scaled before a network sees it.
_CROP = 128, 256
# Both need some background around a person; a square each.
_YOLO_BORDER, _YOLO_PX = (32, 96), 320
_POSE_CROP, _POSE_BORDER, _POSE_PX = (112, 224), (16, 72), 256
_JOINTS = 33
_MASKS_AT_ONCE = 16


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
    return (crops[first : first + _MASKS_AT_ONCE] for first in range(0, len(crops), _MASKS_AT_ONCE))


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


def make(data: Path, out: Path, names: list[str]) -> None:
    """Add the pictures that ``out`` does not have."""
    parts = [read_masks(out)] if out.exists() else []
    there = {name for part in parts for name in part.names}
    missing = [name for name in names if name not in there]
    masker = PersonMasker()
    for turn, first in enumerate(range(0, len(missing), _AT_ONCE), start=1):
        some = missing[first : first + _AT_ONCE]
        parts.append(masker(some, [_read(data / name) for name in some]))
        if turn % _SAVED_AFTER == 0 or first + _AT_ONCE >= len(missing):
            parts = [joined_masks(parts)]
            save_masks(out, parts[0])
            trusted = int(parts[0].trusted.sum())
            print(f"{first + len(some)} of {len(missing)}; {trusted} trusted", flush=True)


def sheet(data: Path, found: PersonMasks, count: int, seed: int) -> NDArray[np.uint8]:
    """``count`` pictures drawn by chance, beside what was found in them."""
    chosen = np.random.default_rng(seed).permutation(len(found.names))[:count]
    trusted = found.trusted
    tiles = [_tile(data, found, row, bool(trusted[row])) for row in np.sort(chosen).tolist()]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[first : first + _COLUMNS]) for first in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def _tile(data: Path, found: PersonMasks, row: int, trusted: bool) -> NDArray[np.uint8]:
    picture = cv2.resize(_read(data / found.names[row]), (_WIDE, _TALL))
    mask = cv2.resize(found.masks[row], (_WIDE, _TALL), interpolation=cv2.INTER_NEAREST)
    shown = picture.copy()
    colour = (0, 255, 0) if trusted else (0, 0, 255)
    shown[mask == PERSON] = shown[mask == PERSON] // 2 + np.array(colour, np.uint8) // 2
    shown[mask == UNKNOWN] = (0, 255, 255)
    for x, y, visible in found.joints[row]:
        dot = round(float(x) * _WIDE), round(float(y) * _TALL)
        cv2.circle(shown, dot, 2, (255, 0, 0) if visible >= _SEEN else (160, 160, 160), -1)
    return np.hstack([picture, shown])


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path))
    if image is None:
        sys.exit(f"person_masks: cannot read {path}")
    return np.asarray(image, np.uint8)


def main() -> None:
    """Make or show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", action="append", default=[], help="a pattern within FOLDER")
    parser.add_argument("--every", type=int, default=1, help="take only every Nth of them")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("person_masks: set FUSETRACK_DATA to a folder that holds reid/")
    cv2.setNumThreads(1)
    if arguments.sheet:
        found = read_masks(arguments.out)
        cv2.imwrite(
            str(arguments.sheet), sheet(Path(data), found, arguments.samples, arguments.seed)
        )
        return
    paths = sorted({p for pattern in arguments.pictures for p in Path(data).glob(pattern)})
    names = [path.relative_to(data).as_posix() for path in paths]
    make(Path(data), arguments.out, names[:: arguments.every])


if __name__ == "__main__":
    main()
