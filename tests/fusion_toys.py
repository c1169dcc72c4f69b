"""A fusion model small enough for a test."""

import torch

from reid_model.networks.fused import FusedModel
from reid_model.networks.fusion import FusionModel, FusionOptions
from reid_model.networks.omni_scale import OmniScale

SMALL = FusionOptions(width=16, layers=2, heads=2, text_width=12, shared=8)


def toy_fusion(options: FusionOptions = SMALL, *, trained: bool = False) -> FusionModel:
    """Random weights, pictures of 64 x 32; ``trained``: none of its parts is an identity."""
    torch.manual_seed(4)
    encoder = OmniScale(16, 16, (64, 32))
    fused = FusedModel(encoder, 1, mscsa_modules=0, embedding="projected").deploy()
    model = FusionModel(fused, options)
    if trained:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def toy_pixels(count: int = 3) -> torch.Tensor:
    """Normalised pictures ``(count, 3, 64, 32)``."""
    return torch.randn(count, 3, 64, 32, generator=torch.Generator().manual_seed(5))
