"""What can be seen of a person's clothes: colours from pixels, the rest from attributes.

Colours are the eleven basic names of Berlin and Kay (1969). A pixel gets the name by lightness,
chroma and hue in CIELAB, where equal distances look about equal.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_model.data.labelled_picture import Image, LabelledPicture
from reid_model.networks.body_parts import PARTS

COLOURS = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
#: The words where no colour is sure.
SHADES = ("dark", "light")

# Of CIELAB, L* 0 to 100. Below the first a pixel is black, above the second white, when it has
# little chroma.
_BLACK, _WHITE, _DARK, _LIGHT = 22.0, 62.0, 35.0, 62.0
_LEAST_CHROMA, _BLACK_CHROMA = 9.0, 12.0
# Where hues end, in degrees of CIELAB, and what they are called.
_HUES = (
    (10.0, "pink"),
    (48.0, "red"),
    (72.0, "orange"),
    (112.0, "yellow"),
    (190.0, "green"),
    (298.0, "blue"),
    (330.0, "purple"),
    (360.0, "pink"),
)
# Orange that is darker or paler is brown; red that is light is pink, pink that is dark red.
_BROWN_LIGHTNESS, _BROWN_CHROMA = 60.0, 35.0
_PINK_LIGHTNESS = 58.0
#: The share of a garment that has a colour, or is dark or light, from which on that is named.
_MAIN, _SHADE = 0.45, 0.75
_LEAST_PIXELS = 150

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Clothes:
    """What is known, else None. Colours are `COLOURS` or `SHADES`; sleeves and legs long or not."""

    upper: str | None = None
    lower: str | None = None
    long_sleeves: bool | None = None
    long_legs: bool | None = None
    skirt: bool | None = None
    bag: bool | None = None
    backpack: bool | None = None
    hat: bool | None = None


def colour_shares(pixels: Image) -> NDArray[np.float64]:
    """How much of BGR pixels ``(N, 3)`` has each of `COLOURS`: ``(11,)``, in sum 1."""
    lightness, chroma, hue = _lch(pixels)
    ends = np.array([end for end, _ in _HUES])
    names = np.array([COLOURS.index(name) for _, name in _HUES])
    found = names[np.searchsorted(ends, hue, side="right").clip(max=len(ends) - 1)]
    number = COLOURS.index
    orange, yellow = found == number("orange"), found == number("yellow")
    red, pink = found == number("red"), found == number("pink")
    dull = (lightness < _BROWN_LIGHTNESS) | (chroma < _BROWN_CHROMA)
    found[(orange | (yellow & (lightness < _BROWN_LIGHTNESS))) & dull] = number("brown")
    found[red & (lightness >= _PINK_LIGHTNESS)] = number("pink")
    found[pink & (lightness < _PINK_LIGHTNESS * 0.7)] = number("red")
    found[chroma < _LEAST_CHROMA] = number("grey")
    found[(lightness < _BLACK) & (chroma < _BLACK_CHROMA)] = number("black")
    found[(lightness > _WHITE) & (chroma < _LEAST_CHROMA)] = number("white")
    return np.bincount(found, minlength=len(COLOURS)) / max(len(pixels), 1)


def colour_name(pixels: Image) -> str | None:
    """The name for BGR pixels ``(N, 3)`` of one garment, a shade, or None when unsure."""
    if len(pixels) < _LEAST_PIXELS:
        return None
    shares = colour_shares(pixels)
    if shares.max() >= _MAIN:
        return COLOURS[int(shares.argmax())]
    lightness = _lch(pixels)[0]
    for name, share in zip(SHADES, (lightness < _DARK, lightness > _LIGHT), strict=True):
        if share.mean() >= _SHADE:
            return name
    return None


def seen_colours(picture: LabelledPicture) -> Clothes:
    """The colours of the garments above and below the waist."""
    upper, lower = PARTS.index("upper body") + 1, PARTS.index("lower body") + 1
    return Clothes(
        upper=colour_name(picture.image[picture.parts == upper]),
        lower=colour_name(picture.image[picture.parts == lower]),
    )


def agreed_clothes(seen: Sequence[Clothes]) -> Clothes:
    """What more than half of the pictures of one person say, of those that say anything."""
    return Clothes(
        **{f.name: _majority([getattr(one, f.name) for one in seen]) for f in fields(Clothes)}
    )


def _majority(values: Sequence[Value | None]) -> Value | None:
    known = Counter(value for value in values if value is not None)
    if not known:
        return None
    value, count = known.most_common(1)[0]
    return value if 2 * count > known.total() else None


def _lch(pixels: Image) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Lightness 0..100, chroma and hue in degrees of BGR pixels ``(N, 3)``."""
    lab = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    return lab[:, 0], np.hypot(lab[:, 1], lab[:, 2]), hue
