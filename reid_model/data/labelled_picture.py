"""A picture of a person of which it is known what each pixel shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_model.data.person_masks import BACKGROUND, PERSON, UNKNOWN
from reid_model.networks.body_parts import PARTS

Image = NDArray[np.uint8]

#: Height and width of a labelled picture.
HEIGHT, WIDTH = 256, 128

# Joints of BlazePose.
_NOSE, _EARS, _SHOULDERS, _ELBOWS, _WRISTS = 0, (7, 8), (11, 12), (13, 14), (15, 16)
_HIPS, _KNEES, _ANKLES, _HEELS, _TOES = (23, 24), (25, 26), (27, 28), (29, 30), (31, 32)
# A bone between joints that are less visible tells nothing of the pixels beside it.
_VISIBLE = 0.3
# Of the way from the shoulders to the nose: where the neck ends, and where the head does.
_NECK, _CROWN = 0.4, 1.7

Bone = tuple[int, NDArray[np.float32], NDArray[np.float32], float]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """``image`` ``(256, 128, 3)`` uint8 BGR. ``mask`` ``(256, 128)`` int8: `PERSON` where the
    person that the picture is about is to be seen, `BACKGROUND` (also other people) or `UNKNOWN`.
    ``parts`` ``(256, 128)`` int8: 0 background, 1 to 4 one of `PARTS`, -1 unknown.
    """

    image: Image
    mask: NDArray[np.int8]
    parts: NDArray[np.int8]

    def visibilities(self) -> NDArray[np.float32]:
        """``(4,)``: the share of each part's pixels in the person's that are to be seen."""
        counts = np.array([(self.parts == part).sum() for part in range(1, len(PARTS) + 1)])
        return np.asarray(counts / max((self.mask == PERSON).sum(), 1), np.float32)


def labelled(image: Image, mask: NDArray[np.int8], joints: NDArray[np.float32]) -> LabelledPicture:
    """A BGR crop of any size with its mask and joints, see `PersonMasks`."""
    scaled = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    fine = np.asarray(cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST), np.int8)
    return LabelledPicture(np.asarray(scaled, np.uint8), fine, part_map(fine, joints))


def part_map(mask: NDArray[np.int8], joints: NDArray[np.float32]) -> NDArray[np.int8]:
    """Each pixel of the person of ``mask`` ``(H, W)`` belongs to the part of the nearest bone."""
    rows, columns = np.nonzero(mask == PERSON)
    parts = np.full(mask.shape, UNKNOWN, np.int8)
    parts[mask == BACKGROUND] = 0
    scale = np.array([mask.shape[1], mask.shape[0]], np.float32)
    points = np.stack([columns, rows], axis=1) + 0.5
    bones = _bones(joints)
    distances = np.stack([_distance(points, a * scale, b * scale) for _, a, b, _ in bones])
    nearest = distances.argmin(axis=0)
    part = np.array([part for part, *_ in bones], np.int8)
    seen = np.array([visible >= _VISIBLE for *_, visible in bones])
    parts[rows, columns] = np.where(seen[nearest], part[nearest], UNKNOWN)
    return parts


def _bones(joints: NDArray[np.float32]) -> list[Bone]:
    """Part, both ends (shares of the picture) and visibility of each."""
    place, visible = joints[:, :2], joints[:, 2]

    def bone(part: int, a: int, b: int) -> Bone:
        return part, place[a], place[b], float(min(visible[a], visible[b]))

    middle = place[list(_SHOULDERS)].mean(axis=0)
    hips = place[list(_HIPS)].mean(axis=0)
    head = place[[_NOSE, *_EARS]].mean(axis=0) - middle
    trunk = float(visible[[*_SHOULDERS, *_HIPS]].min())
    found = [
        (1, middle + _NECK * head, middle + _CROWN * head, float(visible[_NOSE])),
        (2, middle, hips, trunk),
        bone(2, *_SHOULDERS),
    ]
    for side in range(2):
        found += [
            bone(2, _SHOULDERS[side], _HIPS[side]),
            bone(2, _SHOULDERS[side], _ELBOWS[side]),
            bone(2, _ELBOWS[side], _WRISTS[side]),
            bone(3, _HIPS[side], _KNEES[side]),
            bone(3, _KNEES[side], _ANKLES[side]),
            bone(4, _ANKLES[side], _HEELS[side]),
            bone(4, _HEELS[side], _TOES[side]),
        ]
    return found


def _distance(
    points: NDArray[np.floating], a: NDArray[np.float32], b: NDArray[np.float32]
) -> NDArray[np.floating]:
    """From points ``(N, 2)`` to the line between ``a`` and ``b``."""
    along = b - a
    share = ((points - a) @ along / max(float(along @ along), 1e-6)).clip(0, 1)
    distances: NDArray[np.floating] = np.linalg.norm(points - a - share[:, None] * along, axis=1)
    return distances
