"""From a picture to what a network is trained or tested on (CLIP-ReID, Li et al. 2023).

Pictures are ``(3, h, w)`` uint8 RGB tensors of any size; what comes out is normalised float32.
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
    """A value 0..255 becomes ``(value / 255 - mean) / std``, for red, green and blue."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 ``(3, H, W)`` to float32."""
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return (image.contiguous().float() / 255 - mean[:, None, None]) / std[:, None, None]

    def undone(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised ``(..., 3, H, W)`` to uint8; what no picture can hold becomes 0 or 255."""
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        values = (images * std[:, None, None] + mean[:, None, None]) * 255
        return values.round().clamp(0, 255).to(torch.uint8)


#: For the ResNet family and for CLIP's ViT.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True)
class EvaluationTransform:
    """A picture to ``(3, height, width)``: bilinear resize, normalise."""

    height: int = 256
    width: int = 128
    normalisation: Normalisation = IMAGENET

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Raises ValueError for what is no picture."""
        return self.normalisation(_resized(image, self.height, self.width, "bilinear"))


@dataclass(frozen=True, slots=True)
class TrainTransform:
    """A picture to ``(3, height, width)``, changed at random.

    Bicubic resize, mirroring, a border of ``pad`` black pixels and a random cut, normalising, and
    a box of noise: the published recipe. The probabilities that are 0 by default make a network
    sturdier against boxes that are too tight, coarse pictures, other cameras' colours, and people
    behind something. ``hue`` is how far colours may turn, of the whole circle.
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

        ``other`` reads a picture of somebody else, any size, that may stand in front. Raises
        ValueError for what is no picture, and when ``occlude`` is asked for without ``other``.
        """
        image = self._framed(image, generator)
        if chance(self.recolour, generator):
            image = recoloured(image, generator, self.hue)
        if chance(self.occlude, generator):
            image = occluded(image, self._in_front(other), generator)
        image = self.normalisation(image)
        return erased(image, generator) if chance(self.erase, generator) else image

    def _framed(self, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What changes where pixels lie: uint8 ``(3, height, width)``."""
        if chance(self.tight, generator):
            image = tighter(image, generator)
        image = _resized(image, self.height, self.width, "bicubic")
        if chance(self.coarse, generator):
            image = coarser(image, generator)
        if chance(self.flip, generator):
            image = image.flip(2)
        return shifted(image, self.pad, generator)

    def _in_front(self, other: Callable[[], torch.Tensor] | None) -> torch.Tensor:
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
