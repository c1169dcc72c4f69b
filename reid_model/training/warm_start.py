"""A `ClipResNet` of width 64 or less that starts from ImageNet's ResNet-50."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from reid_model.networks.clip_resnet import ClipResNet
from reid_model.training.keras_resnet import first_map, stages
from reid_model.training.narrowing import narrowed, strongest_of_stem

_RATE = 1e-2


def warm_start(encoder: ClipResNet, weights: dict[str, Tensor], batches: Iterable[Tensor]) -> float:
    """Fill ``encoder``'s stages with the strongest channels of ``weights``
    (`keras_resnet.read_weights`), and teach its stem to give the map that those expect.

    ``batches`` are pictures ``(B, 3, H, W)``, normalised RGB, of which the stem learns. Returns the
    share of the map's variance that the stem misses in the last batch. The attention pool stays as
    it is. Raises ValueError without any pictures, and for an encoder wider than ``weights``.
    """
    wide = stages(weights)
    chosen = None
    missed = math.inf
    optimiser = torch.optim.Adam(_stem_parameters(encoder), lr=_RATE)
    encoder.train()
    for pictures in batches:
        wanted = first_map(weights, pictures)
        if chosen is None:
            chosen = strongest_of_stem(wide, wanted.std(dim=(0, 2, 3)), encoder.width)
            _scale(encoder.bn3, wanted[:, chosen])
        with torch.autocast("cpu", torch.bfloat16):
            given = encoder.stem(pictures)
        loss = F.mse_loss(given.float(), wanted[:, chosen]) / wanted[:, chosen].var()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        missed = loss.item()
    if chosen is None:
        raise ValueError("a warm start needs pictures for the stem to learn of")
    blocks = [len(stage) for stage in _stages(encoder)]
    encoder.load_state_dict(narrowed(wide, chosen, encoder.width, blocks), strict=False)
    return missed


def _stages(encoder: ClipResNet) -> list[torch.nn.Sequential]:
    return [encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4]


def _scale(norm: torch.nn.BatchNorm2d, wanted: Tensor) -> None:
    """Let the stem's last normalisation begin with numbers as large as those wanted."""
    with torch.no_grad():
        norm.weight.copy_(wanted.std(dim=(0, 2, 3)))
        norm.bias.copy_(wanted.mean(dim=(0, 2, 3)))


def _stem_parameters(encoder: ClipResNet) -> list[torch.nn.Parameter]:
    modules = (encoder.conv1, encoder.bn1, encoder.conv2, encoder.bn2, encoder.conv3, encoder.bn3)
    return [parameter for module in modules for parameter in module.parameters()]
