"""Random changes of a picture, one function each; every draw comes from the generator."""

import math

import torch
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

#: The share of a picture that a box covers; its height is 0.3 to 1 / 0.3 times its width.
_ERASED_AREA = (0.02, 1 / 3)
_OCCLUDED_AREA = (0.1, 0.4)
_LOG_ASPECT = math.log(1 / 0.3)

_TIGHTEST = 0.15  # of a side's length, cut off
_SMALLEST = 0.25  # of the resolution
_BRIGHTNESS = _CONTRAST = _SATURATION = (0.6, 1.4)
_WAIST = (0.25, 0.75)  # of the height: below begins somebody else
_FAINTEST_OF_TWO = 0.5


def chance(probability: float, generator: torch.Generator) -> bool:
    """True with this probability."""
    return uniform(0.0, 1.0, generator) < probability


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number from ``low`` up to ``high``."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def shifted(image: torch.Tensor, pad: int, generator: torch.Generator) -> torch.Tensor:
    """``(3, H, W)`` with a black border of ``pad`` pixels, cut back to its size at random."""
    height, width = image.shape[1:]
    padded = torch.nn.functional.pad(image, (pad, pad, pad, pad))  # (3, H + 2 pad, W + 2 pad)
    top, left = _below(2 * pad + 1, generator), _below(2 * pad + 1, generator)
    return padded[:, top : top + height, left : left + width]


def erased(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A normalised ``(3, H, W)`` with one box of normal noise, drawn for each pixel and channel."""
    box = _box(image, _ERASED_AREA, generator)
    out = image.clone()
    out[box] = torch.randn(image[box].shape, generator=generator)
    return out


def occluded(image: torch.Tensor, other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``(3, H, W)`` behind a box cut from anywhere in ``other``, which has the same shape."""
    box = _box(image, _OCCLUDED_AREA, generator)
    height, width = image[box].shape[1:]
    top = _below(image.shape[1] - height + 1, generator)
    left = _below(image.shape[2] - width + 1, generator)
    out = image.clone()
    out[box] = other[:, top : top + height, left : left + width]
    return out


def tighter(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``(3, h, w)`` less up to 15 % at each side, as a careless detector cuts it."""
    height, width = image.shape[1:]
    top, bottom = (int(uniform(0, _TIGHTEST, generator) * height) for _ in range(2))
    left, right = (int(uniform(0, _TIGHTEST, generator) * width) for _ in range(2))
    return image[:, top : height - bottom, left : width - right]


def coarser(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``(3, H, W)`` with the detail of a picture of a quarter to all of its size."""
    height, width = image.shape[1:]
    share = uniform(_SMALLEST, 1.0, generator)
    small = [max(1, round(height * share)), max(1, round(width * share))]
    shrunk = functional.resize(image, small, antialias=True)
    out: torch.Tensor = functional.resize(shrunk, [height, width], antialias=True)
    return out


def mixed(image: torch.Tensor, other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8 ``(3, H, W)`` with the lower part of ``other``, or all of it shining through.

    ``other`` may have any size.
    """
    other = functional.resize(other, list(image.shape[1:]), antialias=True)
    if chance(0.5, generator):
        top = int(uniform(*_WAIST, generator) * image.shape[1])
        return torch.cat([image[:, :top], other[:, top:]], dim=1)
    share = uniform(0.0, _FAINTEST_OF_TWO, generator)
    return torch.lerp(image.float(), other.float(), share).round().to(torch.uint8)


def recoloured(image: torch.Tensor, generator: torch.Generator, hue: float) -> torch.Tensor:
    """uint8 ``(3, H, W)`` in another light: brightness, contrast, saturation, and ``hue``, at most
    that share of the colour circle: beyond 0.05 clothes lose the name of their colour.
    """
    image = functional.adjust_brightness(image, uniform(*_BRIGHTNESS, generator))
    image = functional.adjust_contrast(image, uniform(*_CONTRAST, generator))
    image = functional.adjust_saturation(image, uniform(*_SATURATION, generator))
    out: torch.Tensor = functional.adjust_hue(image, uniform(-hue, hue, generator))
    return out


def _box(
    image: torch.Tensor, area: tuple[float, float], generator: torch.Generator
) -> tuple[slice, slice, slice]:
    """A box within the picture; empty in the rare case that ten draws give none that fits."""
    height, width = image.shape[1:]
    for _ in range(10):
        pixels = uniform(*area, generator) * height * width
        aspect = math.exp(uniform(-_LOG_ASPECT, _LOG_ASPECT, generator))
        high, wide = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if high < height and wide < width:
            top, left = _below(height - high + 1, generator), _below(width - wide + 1, generator)
            return slice(None), slice(top, top + high), slice(left, left + wide)
    return slice(None), slice(0), slice(0)


def _below(end: int, generator: torch.Generator) -> int:
    return int(torch.randint(end, (), generator=generator))
