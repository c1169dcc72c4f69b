"""Which parts of the body are seen.

BPBreID (Somers et al., WACV 2023): a classifier of pixels tells the parts apart, and a part is as
visible as its clearest pixel.
"""

from torch import Tensor, nn

#: The order of parts in masks and visibilities.
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
