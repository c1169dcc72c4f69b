"""Which parts of the body are seen, and what each looks like.

BPBreID (Somers et al., WACV 2023): a classifier of pixels tells the parts apart, a part is as
visible as its clearest pixel, and two people are compared by what is visible of both.
"""

import torch
from torch import Tensor, nn

from reid_model.networks.mask_guidance import masked_mean

#: The order of parts in masks, visibilities and part vectors.
PARTS = ("head", "upper body", "lower body", "feet")


class BodyParts(nn.Module):
    """Pixels of the last map as background or one of `PARTS`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.classify = nn.Conv2d(channels, 1 + len(PARTS), 1)

    def forward(self, x4: Tensor) -> Tensor:
        """Logits ``(B, 5, 16, 8)`` of ``(B, C, 16, 8)``; the first is the background's."""
        logits: Tensor = self.classify(x4)
        return logits


def part_masks(logits: Tensor) -> Tensor:
    """How much of each part a pixel is: ``(B, 4, H, W)``, 0 to 1."""
    return logits.softmax(dim=1)[:, 1:]


def visibilities(masks: Tensor) -> Tensor:
    """How surely each part is seen: ``(B, 4)``, its clearest pixel."""
    return masks.amax(dim=(2, 3))


def part_vectors(x4: Tensor, masks: Tensor) -> Tensor:
    """The mean of the map ``(B, C, H, W)`` over each part: ``(B, 4, C)``."""
    return masked_mean(x4, masks)


def part_distances(query: Tensor, gallery: Tensor, seen: Tensor, visible: Tensor) -> Tensor:
    """One minus the mean cosine over parts that both show: ``(Q, G)``.

    ``query (Q, 4, C)`` and ``gallery (G, 4, C)`` are unit vectors, ``seen (Q, 4)`` and
    ``visible (G, 4)`` their visibilities, which weigh the parts. Without a common part it is 1.
    """
    weights = seen[:, None] * visible[None]  # (Q, G, 4)
    cosines = torch.einsum("qkc,gkc->qgk", query, gallery)
    return 1 - (weights * cosines).sum(dim=2) / weights.sum(dim=2).clamp(min=1e-6)
