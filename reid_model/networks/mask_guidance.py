"""Attention that a mask guides: what is the person counts more, channel by channel.

FusionSegReID's claim: ``x_s * (1 + alpha_s * A_s)`` with the mask ``A_s`` in the size of stage s
and a learned ``alpha_s``, zero when new. In an omni-scale network the mask is known only after the
third stage, so maps pass a third stage twice, which costs a fifteenth of the whole; it guides from
the second stage's map on, as the first two make nine tenths of the work.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_TINY = 1e-6
#: The part of the person that is seen is scaled up by at most this factor.
_MOST = 4.0


class MaskGuidance(nn.Module):
    """The factors of each channel of the ``second`` and the ``third`` stage."""

    def __init__(self, second: int, third: int) -> None:
        super().__init__()
        self.alpha2 = nn.Parameter(torch.zeros(second))
        self.alpha3 = nn.Parameter(torch.zeros(third))

    def second(self, x2: Tensor, mask: Tensor) -> Tensor:
        """The second stage's map ``(B, C2, 16, 8)``, guided by ``mask (B, 1, 32, 16)``, 0 to 1."""
        return _guided(x2, self.alpha2, mask)

    def third(self, x3: Tensor, mask: Tensor) -> Tensor:
        """The same of the third stage's ``(B, C3, 16, 8)``."""
        return _guided(x3, self.alpha3, mask)


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


def _guided(x: Tensor, alpha: Tensor, mask: Tensor) -> Tensor:
    return x * (1 + alpha[:, None, None] * _halved(mask))


def _halved(mask: Tensor) -> Tensor:
    return F.avg_pool2d(mask, 2)
