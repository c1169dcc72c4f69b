"""From a picture to the input of a network, in training and evaluation (CLIP-ReID, Li et al. 2023).

Pictures are ``(3, h, w)`` uint8 RGB tensors of any size; the result is normalised float32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from reid_model.data.augment import (
    chance,
    coarser,
    erased,
    occluded,
    recoloured,
    shifted,
    tighter,
)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """``(value / 255 - mean) / std`` of values 0..255; ``mean`` and ``std`` are RGB."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 ``(3, H, W)`` to float32."""
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return (image.contiguous().float() / 255 - mean[:, None, None]) / std[:, None, None]

    def invert(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised ``(..., 3, H, W)`` to uint8, clipped to 0..255."""
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        values = (images * std[:, None, None] + mean[:, None, None]) * 255
        return values.round().clamp(0, 255).to(torch.uint8)


#: For the ResNet family and for CLIP's ViT.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class EvaluationTransform:
    """A picture to ``(3, height, width)``: bilinear resize, normalisation."""

    height: int = 256
    width: int = 128
    normalisation: Normalisation = IMAGENET

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Raises ValueError for a tensor that is not a picture."""
        return self.normalisation(_resized(image, self.height, self.width, "bilinear"))


@dataclass(frozen=True, slots=True)
class TrainTransform:
    """A picture to ``(3, height, width)``, with random augmentation.

    Bicubic resize, horizontal flip, padding by ``pad`` black pixels and a random crop,
    normalisation, and random erasing: the published recipe. The probabilities that are 0 by
    default make a network robust against tight boxes, low resolution, other cameras' colours and
    occlusion. ``hue`` is the largest hue shift, as a share of the colour circle.
    """

    height: int = 256
    width: int = 128
    normalisation: Normalisation = IMAGENET
    flip: float = 0.5
    pad: int = 10
    erase: float = 0.5
    tight: float = 0.0
    coarse: float = 0.0
    recolour: float = 0.0
    occlude: float = 0.0
    hue: float = 0.05

    def __call__(
        self,
        image: torch.Tensor,
        generator: torch.Generator,
        other: Callable[[], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """The same generator state gives the same result.

        ``other`` reads a picture of another person, any size, as the occluder. Raises ValueError
        for a tensor that is not a picture, and when ``occlude`` needs ``other`` and has none.
        """
        image = self._geometry(image, generator)
        if chance(self.recolour, generator):
            image = recoloured(image, generator, self.hue)
        if chance(self.occlude, generator):
            image = occluded(image, self._occluder(other), generator)
        image = self.normalisation(image)
        return erased(image, generator) if chance(self.erase, generator) else image

    def _geometry(self, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The geometric augmentations: uint8 ``(3, height, width)``."""
        if chance(self.tight, generator):
            image = tighter(image, generator)
        image = _resized(image, self.height, self.width, "bicubic")
        if chance(self.coarse, generator):
            image = coarser(image, generator)
        if chance(self.flip, generator):
            image = image.flip(2)
        return shifted(image, self.pad, generator)

    def _occluder(self, other: Callable[[], torch.Tensor] | None) -> torch.Tensor:
        if other is None:
            raise ValueError("occlude needs a second picture to cut from")
        return _resized(other(), self.height, self.width, "bicubic")


def _resized(image: torch.Tensor, height: int, width: int, how: str) -> torch.Tensor:
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise ValueError(
            f"a picture must be (3, h, w) uint8 RGB, got {tuple(image.shape)} {image.dtype}"
        )
    out: Any = functional.resize(image, [height, width], interpolation=how, antialias=True)
    return torch.as_tensor(out)
