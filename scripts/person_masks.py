"""Make masks and joints of the people in training pictures, and a sheet of samples to look at.

    FUSETRACK_DATA=FOLDER python scripts/person_masks.py OUT.npz --pictures "reid/cuhk03/val/*"

``OUT.npz`` is made of what is missing in it, and may be stopped at any time; with ``--sheet`` a
picture of samples is written instead: the trusted in green, left out in red, with the joints.
"""

import argparse
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.reid.person_masks import PersonMasker
from reid_model.data.person_masks import (
    PERSON,
    UNKNOWN,
    PersonMasks,
    joined_masks,
    read_masks,
    save_masks,
)

_AT_ONCE, _SAVED_AFTER = 32, 8
_TALL, _WIDE, _COLUMNS = 256, 128, 12
_SEEN = 0.5


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
