"""Which pixels of training pictures are the person, and where the joints are, kept in one file.

Two networks of different makers segment each picture; where both agree, the mask is trusted. Pixels
on which they differ are unknown, and a picture on which they differ much is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_model.atomic_file import replacing

#: Height and width of a kept mask, whatever the picture's.
SIZE = 128, 64
#: What a pixel of a mask is.
UNKNOWN, BACKGROUND, PERSON = -1, 0, 1
#: Two masks of one person that overlap less (intersection over union) are not trusted.
LEAST_OVERLAP = 0.75
# A trusted mask covers a share of the picture in this range.
_SHARE = 0.12, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class PersonMasks:
    """``names``: paths of ``N`` pictures within the data folder; a picture comes once.

    ``masks`` ``(N, 128, 64)`` int8: `PERSON`, `BACKGROUND` or `UNKNOWN`. ``overlaps`` ``(N,)``
    float32: intersection over union of the two networks. ``joints`` ``(N, 33, 3)`` float32: x and
    y as shares of the picture's width and height, and visibility 0..1, in BlazePose's order.
    """

    names: tuple[str, ...]
    masks: NDArray[np.int8]
    overlaps: NDArray[np.float32]
    joints: NDArray[np.float32]

    @property
    def trusted(self) -> NDArray[np.bool_]:
        """``(N,)``: where both networks saw the same one person."""
        share = (self.masks == PERSON).mean(axis=(1, 2))
        sure = (self.overlaps >= LEAST_OVERLAP) & (share >= _SHARE[0]) & (share <= _SHARE[1])
        return np.asarray(sure, np.bool_)

    def only(self, chosen: Sequence[bool]) -> "PersonMasks":
        """Those of the pictures of which ``chosen`` ``(N,)`` says so."""
        rows = np.flatnonzero(np.asarray(chosen, np.bool_))
        return PersonMasks(
            tuple(self.names[row] for row in rows),
            self.masks[rows],
            self.overlaps[rows],
            self.joints[rows],
        )

    def rows(self) -> dict[str, int]:
        """The row of each picture whose mask is trusted, by name."""
        return {self.names[row]: row for row in np.flatnonzero(self.trusted).tolist()}


def agreed(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[NDArray[np.int8], float]:
    """What two masks of one picture agree on, and their overlap; 0 where either is empty."""
    union = int((first | second).sum())
    overlap = float((first & second).sum()) / union if union else 0.0
    mask = np.full(first.shape, UNKNOWN, np.int8)
    mask[first & second] = PERSON
    mask[~first & ~second] = BACKGROUND
    return mask, overlap


def resized(mask: NDArray[np.float32]) -> NDArray[np.bool_]:
    """A mask ``(H, W)`` 0..1 of any size as one of `SIZE`."""
    small = cv2.resize(mask, SIZE[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small > 0.5, np.bool_)


def save_masks(path: Path, found: PersonMasks) -> None:
    """Write them, packed; the file appears whole or not at all."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            names=np.array(found.names),
            masks=found.masks,
            overlaps=found.overlaps,
            joints=found.joints.astype(np.float16),
        )


def read_masks(path: Path) -> PersonMasks:
    """What `save_masks` wrote. Raises OSError or ValueError for anything else."""
    with np.load(path) as file:
        return PersonMasks(
            tuple(file["names"].tolist()),
            file["masks"],
            file["overlaps"],
            file["joints"].astype(np.float32),
        )


def joined_masks(parts: Sequence[PersonMasks]) -> PersonMasks:
    """Several as one; of a picture that comes twice the last stays."""
    rows = {name: (part, row) for part in parts for row, name in enumerate(part.names)}
    return PersonMasks(
        tuple(rows),
        np.array([part.masks[row] for part, row in rows.values()], np.int8).reshape(-1, *SIZE),
        np.array([part.overlaps[row] for part, row in rows.values()], np.float32),
        np.array([part.joints[row] for part, row in rows.values()], np.float32).reshape(-1, 33, 3),
    )
