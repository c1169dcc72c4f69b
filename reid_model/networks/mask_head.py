"""Where the person is that a crop is about: a mask from maps of three stages and one token.

MODEL.md of FusionSegReID gives no head; this is LISA's idea (Lai et al., CVPR 2024), a token that
stands for the mask, against a map of pixels in the manner of a feature pyramid (Lin et al. 2017).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_NARROW = 64


class MaskHead(nn.Module):
    """Maps of ``channels`` (first to third stage) and a token of ``width`` to a mask.

    The pixel map is ``up(x3) + lateral(x2) + lateral(x1)``; how well a pixel fits the token's
    vector says whether it is the person.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(count, _NARROW, 1) for count in channels)
        self.smooth = nn.Sequential(
            nn.GroupNorm(8, _NARROW),
            nn.ReLU(inplace=True),
            nn.Conv2d(_NARROW, _NARROW, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.token = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, _NARROW))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Sequence[Tensor], token: Tensor) -> Tensor:
        """Logits ``(B, 1, 32, 16)``, of the size of the first of the ``maps`` ``(B, C, H, W)``."""
        size = maps[0].shape[2:]
        seen = [
            _resized(lateral(one), size) for lateral, one in zip(self.laterals, maps, strict=True)
        ]
        pixels: Tensor = self.smooth(torch.stack(seen).sum(dim=0))  # (B, 64, 32, 16)
        vector: Tensor = self.token(token)[:, :, None, None]  # (B, 64, 1, 1)
        fit = (pixels * vector).mean(dim=1, keepdim=True)
        logits: Tensor = fit * _NARROW**0.5 + self.bias
        return logits


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    if x.shape[2:] == torch.Size(size):
        return x
    return F.interpolate(x, list(size), mode="bilinear", align_corners=False)
