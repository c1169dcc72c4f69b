"""The same walk in other clothes: shirt and trousers get another colour, the rest stays."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_scene.cutting import Image, WalkFrame

#: A factor of OpenCV's L of Lab, and its a and b, around 128.
Cloth = tuple[float, int, int]
Where = NDArray[np.bool_]

# As shares of the height: the rows of the garments, where the trousers alone are, and how far from
# the head the middle of the body is and how far it reaches.
_SHIRT, _TROUSERS, _LEGS = (0.135, 0.53), (0.47, 0.85), 0.555
_MIDDLE, _REACH = 0.045, 0.145
# Hues of the trousers (OpenCV: 0 to 179).
_TROUSER_HUES = (108, 172)
_SOFT_PX = 1.5


@dataclass(frozen=True, slots=True)
class DyedClothes:
    """The colours of a person; None leaves a garment as it is."""

    shirt: Cloth | None = None
    trousers: Cloth | None = None


#: Six people.
PEOPLE = (
    DyedClothes(),
    DyedClothes((1.2, 186, 160), (0.45, 128, 124)),
    DyedClothes((2.0, 128, 128), (0.8, 130, 98)),
    DyedClothes((1.5, 126, 182), (0.55, 128, 128)),
    DyedClothes((0.45, 128, 128), (1.6, 130, 146)),
    DyedClothes((1.1, 140, 84), (1.5, 128, 128)),
)


def dressed(step: WalkFrame, clothes: DyedClothes) -> WalkFrame:
    """``step``, which is not mirrored, in ``clothes``."""
    shirt = _shirt(step)
    image = _dyed(step.image, _trousers(step) & ~shirt, clothes.trousers)
    return WalkFrame(_dyed(image, shirt, clothes.shirt), step.mask, step.head)


def _shirt(step: WalkFrame) -> Where:
    """The pixels around the body that are no skin, which is redder."""
    red = cv2.cvtColor(step.image, cv2.COLOR_BGR2LAB)[..., 1]
    body = _rows(step, _SHIRT) & (step.mask > 127)
    between, _ = cv2.threshold(red[body][None], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return _solid(body & _near(step) & (red <= between))


def _trousers(step: WalkFrame) -> Where:
    """All of the legs, and above them what has the hue of the trousers."""
    hue = cv2.cvtColor(step.image, cv2.COLOR_BGR2HSV)[..., 0]
    fits = (hue >= _TROUSER_HUES[0]) & (hue <= _TROUSER_HUES[1])
    legs = _rows(step, (_LEGS, _TROUSERS[1]))
    return _solid(_rows(step, _TROUSERS) & (fits & _near(step) | legs) & (step.mask > 127))


def _near(step: WalkFrame) -> Where:
    """The columns of the body, without hands that are far from it."""
    height, width = step.mask.shape
    distance = np.abs(np.arange(width) - (step.head + _MIDDLE * height))
    return np.broadcast_to(distance < _REACH * height, step.mask.shape)


def _rows(step: WalkFrame, share: tuple[float, float]) -> Where:
    rows = np.arange(step.mask.shape[0])[:, None] / step.mask.shape[0]
    return np.broadcast_to((rows >= share[0]) & (rows < share[1]), step.mask.shape)


def _solid(where: Where) -> Where:
    """``where`` without specks and without small holes."""
    opened = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5)))
    return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((11, 11))), bool)


def _dyed(image: Image, where: Where, cloth: Cloth | None) -> Image:
    if cloth is None:
        return image
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    light = np.clip(lab[..., :1] * cloth[0], 0, 245)
    # A little of the cloth's own pattern stays.
    tint = np.array(cloth[1:], np.float32) + 0.2 * (lab[..., 1:] - 128)
    dyed = np.concatenate([light, np.clip(tint, 0, 255)], axis=2)
    share = cv2.GaussianBlur(where.astype(np.float32), (0, 0), _SOFT_PX)[..., None]
    mixed = (share * dyed + (1 - share) * lab).round().astype(np.uint8)
    return np.asarray(cv2.cvtColor(mixed, cv2.COLOR_LAB2BGR), np.uint8)
