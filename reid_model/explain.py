"""Where a trained model looks: Grad-CAM (Selvaraju et al. 2017) of its embedding.

Grad-CAM needs one number whose evidence is sought. A classifier's score will not do: the people
to be found are none of the training's classes. So it is what vectors are used for:

- with a reference, the cosine of the picture's vector to the reference's: where it looks like that
  person;
- without one, the length of the vector before it is made a unit vector: where what it is made of
  comes from, whomever it is compared with. The cosine to itself would not do, as it is at its
  maximum there and its gradient is zero.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.fused import FusedEmbedder
from reid_model.preprocess import EmbedderSpec, normalise

#: A cosine from which on a picture is the reference: what is left of its gradient is rounding.
_ITSELF = 1 - 1e-5

#: Whose map is coloured: the last stage's (4), or the finer evidence of the one before it (3).
Stage = Literal[3, 4]


def heat_maps(
    network: FusedEmbedder,
    spec: EmbedderSpec,
    pictures: NDArray[np.uint8],
    reference: NDArray[np.uint8] | None = None,
    stage: Stage = 4,
) -> NDArray[np.float32]:
    """``(N, height, width)`` in 0..1 for BGR pictures ``(N, height, width, 3)``; ``reference`` is
    one picture ``(height, width, 3)``.

    The hottest place of a map is 1. A map in which nothing speaks for the number is all zeros, and
    so is that of the reference itself: nothing could make it more like itself.
    """
    wanted = None
    if reference is not None:
        with torch.no_grad():
            wanted = network(torch.from_numpy(normalise(reference[None], spec)))
    pixels = torch.from_numpy(normalise(pictures, spec))
    with torch.enable_grad():
        maps, number = _seen(network, pixels, stage, wanted)
        # In eval mode no picture has a part in another's number, so their sum will do.
        gradients = torch.autograd.grad(number.sum(), maps)[0]
    if wanted is not None:
        gradients = gradients * (number < _ITSELF)[:, None, None, None]
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    heat = F.relu((weights * maps).sum(dim=1, keepdim=True)).detach()  # (N, 1, H, W)
    heat = F.interpolate(heat, (spec.height, spec.width), mode="bilinear", align_corners=False)
    peaks = heat.amax(dim=(1, 2, 3), keepdim=True)
    scaled: NDArray[np.float32] = torch.where(peaks > 0, heat / peaks, 0)[:, 0].numpy()
    return scaled


def _seen(
    network: FusedEmbedder, pixels: Tensor, stage: Stage, wanted: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The stage's maps ``(N, C, H, W)`` and each picture's number ``(N,)``, which follows them."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0]

    with _last_part(network, stage).register_forward_hook(keep):
        vectors = network.raw(pixels)  # (N, D)
    if wanted is None:
        return kept[0], vectors.norm(dim=1)
    return kept[0], F.normalize(vectors, dim=1) @ wanted[0]


def _last_part(network: FusedEmbedder, stage: Stage) -> nn.Module:
    """What makes the stage's map: its MSCSA where it has one."""
    trunk = network.trunk
    if stage <= len(trunk.mscsa):
        return trunk.mscsa[stage - 1]
    layer: nn.Module = getattr(trunk.encoder, f"layer{stage}")
    return layer
