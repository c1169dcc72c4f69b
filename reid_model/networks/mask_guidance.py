"""Multi-scale attention that a mask guides: what is the person counts more, at three stages.

FusionSegReID's claim: ``x_s * (1 + alpha_s * A_s)`` with the mask ``A_s`` in the size of stage s
and a learned ``alpha_s``, zero when new. In an omni-scale network the mask is known only after the
third stage, so that stage is passed a second time, which costs a fifteenth of the whole.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_TINY = 1e-6
#: A part of the person is taken for at most so many times itself.
_MOST = 4.0


class MaskGuidance(nn.Module):
    """The three factors, and what brings the first stage's part to the second stage's map."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(3))
        self.lateral = nn.Conv2d(first, second, 1, bias=False)

    def early(self, x1: Tensor, x2: Tensor, mask: Tensor) -> Tensor:
        """The second stage's map ``(B, C2, 16, 8)``, guided at the first ``(B, C1, 32, 16)`` too.

        ``mask (B, 1, 32, 16)`` is 0 to 1. Of the first stage comes only what guiding changed.
        """
        changed = F.avg_pool2d(self.alpha[0] * mask * x1, 2)  # (B, C1, 16, 8)
        brought: Tensor = self.lateral(changed)
        return x2 * (1 + self.alpha[1] * _halved(mask)) + brought

    def late(self, x3: Tensor, mask: Tensor) -> Tensor:
        """The third stage's map ``(B, C3, 16, 8)``, guided."""
        return x3 * (1 + self.alpha[2] * _halved(mask))


class ForegroundPool(nn.Module):
    """The encoder's learned pooling over the person alone, as far as ``share`` says.

    Places that the mask leaves out are taken to look as those that it keeps. ``share``, one a
    channel, is zero when new: then the pooling is the encoder's own.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(channels))

    def forward(self, x4: Tensor, pool: nn.Conv2d, mask: Tensor) -> Tensor:
        """The last map ``(B, C, 16, 8)`` pooled, ``(B, C)``, by the encoder's ``pool``.

        ``mask (B, 1, 32, 16)`` is 0 to 1.
        """
        kept, weight = _halved(mask), pool.weight[:, 0]  # (B, 1, 16, 8), (C, 16, 8)
        whole, seen = weight.abs().sum(dim=(1, 2)), (kept * weight.abs()).sum(dim=(2, 3))
        grown = (whole / seen.clamp(min=_TINY)).clamp(max=_MOST)  # (B, C)
        pooled: Tensor = pool(x4).flatten(1)
        foreground = (x4 * kept * weight).sum(dim=(2, 3)) * grown
        if pool.bias is not None:
            foreground = foreground + pool.bias
        return pooled + self.share * (foreground - pooled)


def masked_mean(x: Tensor, masks: Tensor) -> Tensor:
    """The mean of a map ``(B, C, H, W)`` over each of ``masks (B, K, H, W)``: ``(B, K, C)``."""
    sums = torch.einsum("bchw,bkhw->bkc", x, masks)
    return sums / masks.sum(dim=(2, 3)).clamp(min=_TINY)[:, :, None]


def _halved(mask: Tensor) -> Tensor:
    return F.avg_pool2d(mask, 2)
