"""Random augmentations, one function each; all randomness comes from the generator."""

import math

import torch
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

#: The share of a picture that a box covers; its height is 0.3 to 3.3 times its width.
_ERASED_AREA = (0.02, 1 / 3)
_OCCLUDED_AREA = (0.1, 0.4)
_LOG_ASPECT = math.log(1 / 0.3)

_TIGHTEST = 0.15  # of the height or width, cut off at a side
_COARSEST = 0.25  # of the resolution
_BRIGHTNESS = _CONTRAST = _SATURATION = (0.6, 1.4)
_WAIST = (0.25, 0.75)  # of the height: where the second person begins
_MOST_BLENDED = 0.5  # the largest weight of the second person


def chance(probability: float, generator: torch.Generator) -> bool:
    """True with this probability."""
    return uniform(0.0, 1.0, generator) < probability


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number from ``low`` up to ``high``."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def shifted(image: torch.Tensor, pad: int, generator: torch.Generator) -> torch.Tensor:
    """``(3, H, W)`` padded with ``pad`` black pixels, then cropped to its size at random."""
    height, width = image.shape[1:]
    padded = torch.nn.functional.pad(image, (pad, pad, pad, pad))  # (3, H + 2 pad, W + 2 pad)
    top, left = _integer(2 * pad + 1, generator), _integer(2 * pad + 1, generator)
    return padded[:, top : top + height, left : left + width]


def erased(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A normalised ``(3, H, W)`` with one box of Gaussian noise in each pixel and channel."""
    box = _box(image, _ERASED_AREA, generator)
    out = image.clone()
    out[box] = torch.randn(image[box].shape, generator=generator)
    return out


def occluded(image: torch.Tensor, other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``(3, H, W)`` occluded by a random box of ``other``, which has the same shape."""
    box = _box(image, _OCCLUDED_AREA, generator)
    height, width = image[box].shape[1:]
    top = _integer(image.shape[1] - height + 1, generator)
    left = _integer(image.shape[2] - width + 1, generator)
    out = image.clone()
    out[box] = other[:, top : top + height, left : left + width]
    return out


def tighter(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``(3, h, w)`` less up to 15 % at each side, as in a detection that is too tight."""
    height, width = image.shape[1:]
    top, bottom = (int(uniform(0, _TIGHTEST, generator) * height) for _ in range(2))
    left, right = (int(uniform(0, _TIGHTEST, generator) * width) for _ in range(2))
    return image[:, top : height - bottom, left : width - right]


def coarser(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``(3, H, W)`` scaled to 25 to 100 % of its resolution, and back."""
    height, width = image.shape[1:]
    share = uniform(_COARSEST, 1.0, generator)
    small = [max(1, round(height * share)), max(1, round(width * share))]
    shrunk = functional.resize(image, small, antialias=True)
    out: torch.Tensor = functional.resize(shrunk, [height, width], antialias=True)
    return out


def mixed(image: torch.Tensor, other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8 ``(3, H, W)`` with the lower part of ``other``, or blended with all of it.

    ``other`` may have any size.
    """
    other = functional.resize(other, list(image.shape[1:]), antialias=True)
    if chance(0.5, generator):
        top = int(uniform(*_WAIST, generator) * image.shape[1])
        return torch.cat([image[:, :top], other[:, top:]], dim=1)
    share = uniform(0.0, _MOST_BLENDED, generator)
    return torch.lerp(image.float(), other.float(), share).round().to(torch.uint8)


def recoloured(image: torch.Tensor, generator: torch.Generator, hue: float) -> torch.Tensor:
    """uint8 ``(3, H, W)`` with other brightness, contrast, saturation and hue.

    ``hue`` is the largest shift, as a share of the colour circle: beyond 0.05 clothes change to
    another colour.
    """
    image = functional.adjust_brightness(image, uniform(*_BRIGHTNESS, generator))
    image = functional.adjust_contrast(image, uniform(*_CONTRAST, generator))
    image = functional.adjust_saturation(image, uniform(*_SATURATION, generator))
    out: torch.Tensor = functional.adjust_hue(image, uniform(-hue, hue, generator))
    return out


def _box(
    image: torch.Tensor, area: tuple[float, float], generator: torch.Generator
) -> tuple[slice, slice, slice]:
    """A random box within the picture; empty in the rare case that none of ten draws fits."""
    height, width = image.shape[1:]
    for _ in range(10):
        pixels = uniform(*area, generator) * height * width
        aspect = math.exp(uniform(-_LOG_ASPECT, _LOG_ASPECT, generator))
        high, wide = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if high < height and wide < width:
            top, left = (
                _integer(height - high + 1, generator),
                _integer(width - wide + 1, generator),
            )
            return slice(None), slice(top, top + high), slice(left, left + wide)
    return slice(None), slice(0), slice(0)


def _integer(end: int, generator: torch.Generator) -> int:
    """A number from 0 up to ``end - 1``."""
    return int(torch.randint(end, (), generator=generator))
