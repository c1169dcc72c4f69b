"""Which regions a trained model uses: Grad-CAM (Selvaraju et al. 2017) of its embedding.

Grad-CAM needs a scalar target. A classifier's score cannot be used, as the people in question are
not among the training's classes. So the target is:

- with a reference, the cosine of the picture's embedding with the reference's: the map shows where
  the picture resembles the reference;
- without one, the norm of the embedding before normalisation: the map shows where the embedding
  comes from, whatever it is compared with. The cosine with itself cannot be used, as it is at its
  maximum and its gradient is zero.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.fused import FusedEmbedder
from reid_model.preprocess import EmbedderSpec, normalise

#: From this cosine on a picture is the reference itself: its gradient is only rounding error.
_IDENTICAL = 1 - 1e-5

#: The stage whose map is used: the last (4), or the one before it (3), which may be finer.
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

    The maximum of a map is 1. A map without positive evidence is all zeros, and so is that of the
    reference itself, which cannot become more similar.
    """
    target = None
    if reference is not None:
        with torch.no_grad():
            target = network(torch.from_numpy(normalise(reference[None], spec)))
    pixels = torch.from_numpy(normalise(pictures, spec))
    with torch.enable_grad():
        maps, scores = _maps_and_scores(network, pixels, stage, target)
        # In eval mode pictures do not affect each other, so one gradient of the sum is enough.
        gradients = torch.autograd.grad(scores.sum(), maps)[0]
    if target is not None:
        gradients = gradients * (scores < _IDENTICAL)[:, None, None, None]
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    heat = F.relu((weights * maps).sum(dim=1, keepdim=True)).detach()  # (N, 1, H, W)
    heat = F.interpolate(heat, (spec.height, spec.width), mode="bilinear", align_corners=False)
    peaks = heat.amax(dim=(1, 2, 3), keepdim=True)
    scaled: NDArray[np.float32] = torch.where(peaks > 0, heat / peaks, 0)[:, 0].numpy()
    return scaled


def _maps_and_scores(
    network: FusedEmbedder, pixels: Tensor, stage: Stage, target: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The stage's maps ``(N, C, H, W)`` and the target of each picture ``(N,)``."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0]

    with _last_part(network, stage).register_forward_hook(keep):
        vectors = network.raw(pixels)  # (N, D)
    if target is None:
        return kept[0], vectors.norm(dim=1)
    return kept[0], F.normalize(vectors, dim=1) @ target[0]


def _last_part(network: FusedEmbedder, stage: Stage) -> nn.Module:
    """The module whose output is the stage's map: its MSCSA, if it has one."""
    trunk = network.trunk
    if stage <= len(trunk.mscsa):
        return trunk.mscsa[stage - 1]
    layer: nn.Module = getattr(trunk.encoder, f"layer{stage}")
    return layer
