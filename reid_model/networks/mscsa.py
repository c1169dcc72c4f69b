"""Multistage channel-spatial aggregation (MSCSA): a stage attends to its input map.

Electronics 2025, 14(3), 525. A module takes a stage's output (the high map, ``Ch`` channels) and
its input (the low map, ``Cl`` channels, ``stride`` times as high and wide). Every channel of the
high map attends to the low map's channels, then every position to the low map's positions; both
results are added to the high map through a batch normalisation whose weight and bias start at
zero, so a new module changes nothing.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: ``softmax`` as in the paper; ``count`` divides by the number of keys, as in the DEEN code.
Normalisation = Literal["softmax", "count"]
#: ``intended`` as in the paper; ``literal`` is the DEEN code's reshape, which turns the two halves
#: of each channel's positions into two channels, so that positions n and n + N/2 attend as one.
Spatial = Literal["intended", "literal"]
#: The factor of the dot products over d terms before the softmax.
Scale = Literal["one", "inverse_sqrt"]


class ChannelAggregation(nn.Module):
    """The channels of the high map attend to the channels of the low map."""

    def __init__(
        self, high: int, low: int, stride: int, normalisation: Normalisation, scale: Scale
    ) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.scale = scale
        self.query = nn.Conv2d(high, low, 1)
        self.key = nn.Conv2d(low, low, 1, stride=stride)
        # The paper strides the result. Nothing before it mixes positions, so striding the values
        # is equivalent, with less computation.
        self.value = nn.Conv2d(low, low, 1, stride=stride)
        self.out = nn.Conv2d(low, high, 1)
        self.norm = _zero_norm(high)

    def attention(self, high: Tensor, low: Tensor) -> Tensor:
        """The attention of high channels (rows) to low channels: ``(B, Cl, Cl)``."""
        query = self.query(high).flatten(2)  # (B, Cl, Nh)
        key = self.key(low).flatten(2)  # (B, Cl, Nh)
        similarity = torch.bmm(_scaled(query, self.scale), key.transpose(1, 2))  # (B, Cl, Cl)
        if self.normalisation == "count":
            return similarity / similarity.shape[2]
        return F.softmax(similarity, dim=2)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """``(B, Ch, Hh, Wh)`` and ``(B, Cl, Hl, Wl)`` give ``(B, Ch, Hh, Wh)``."""
        value = self.value(low)  # (B, Cl, Hh, Wh)
        mixed = self.attention(high, low) @ value.flatten(2)  # (B, Cl, Nh)
        aggregated: Tensor = self.norm(self.out(mixed.reshape(value.shape)))
        return aggregated + high


class SpatialAggregation(nn.Module):
    """The positions of the high map attend to those of the low map, in ``m = Cl / 2`` channels."""

    def __init__(
        self, high: int, low: int, normalisation: Normalisation, spatial: Spatial, scale: Scale
    ) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.scale = scale
        self.fold = 2 if spatial == "literal" else 1
        self.query = nn.Conv2d(high, low // 2, 1)
        self.key = nn.Conv2d(low, low // 2, 1)
        self.value = nn.Conv2d(low, low // 2, 1)
        self.out = nn.Conv2d(low // 2, high, 1)
        self.norm = _zero_norm(high)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """``(B, Ch, Hh, Wh)`` and ``(B, Cl, Hl, Wl)`` give ``(B, Ch, Hh, Wh)``."""
        query = self.query(high)  # (B, m, Hh, Wh)
        mixed = self._attend(
            self._positions(query), self._positions(self.key(low)), self._positions(self.value(low))
        )  # (B, Nh, m)
        aggregated: Tensor = self.norm(self.out(mixed.transpose(1, 2).reshape(query.shape)))
        return aggregated + high

    def _positions(self, x: Tensor) -> Tensor:
        """``(B, m, H, W)`` to ``(B, N, m)``; folded ``(B, N / 2, 2m)``, for an even N only."""
        batch, channels, height, width = x.shape
        folded = x.reshape(batch, channels * self.fold, height * width // self.fold)
        # Fused attention needs a contiguous last dimension.
        return folded.transpose(1, 2).contiguous()

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """``(B, Nh, d)``, ``(B, Nl, d)``, ``(B, Nl, d)`` give ``(B, Nh, d)``."""
        if self.normalisation == "count":
            # Without a softmax the product is associative, and this order needs no (Nh, Nl) matrix.
            return query @ (key.transpose(1, 2) @ value) / key.shape[1]
        # One head: fused attention needs four dimensions.
        mixed = F.scaled_dot_product_attention(
            _scaled(query, self.scale).unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1), scale=1.0
        )
        return mixed.squeeze(1)


class MSCSA(nn.Module):
    """Channel aggregation, then spatial aggregation, of one stage. A new module is the identity.

    ``high`` and ``low`` are channels, ``low`` even. The low map is ``stride`` times as high and
    wide as the high one; the ``literal`` form needs an even number of positions in both.
    Raises ValueError for an odd ``low``, an unknown option, and a scale other than ``one``
    without softmax.
    """

    def __init__(
        self,
        high: int,
        low: int,
        stride: int,
        *,
        normalisation: Normalisation = "softmax",
        spatial: Spatial = "intended",
        scale: Scale = "one",
    ) -> None:
        super().__init__()
        _check(low, normalisation, spatial, scale)
        self.channel = ChannelAggregation(high, low, stride, normalisation, scale)
        self.spatial = SpatialAggregation(high, low, normalisation, spatial, scale)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """``(B, Ch, Hh, Wh)`` and ``(B, Cl, Hl, Wl)`` give ``(B, Ch, Hh, Wh)``."""
        aggregated: Tensor = self.spatial(self.channel(high, low), low)
        return aggregated


def _zero_norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)
    nn.init.zeros_(norm.bias)
    return norm


def _scaled(query: Tensor, scale: Scale) -> Tensor:
    """Queries ``(B, N, d)``, divided by the square root of d for ``inverse_sqrt``."""
    return query if scale == "one" else query * query.shape[2] ** -0.5


def _check(low: int, normalisation: Normalisation, spatial: Spatial, scale: Scale) -> None:
    if low % 2:
        raise ValueError(f"the low map's channels must be even, got {low}")
    for name, value, known in (
        ("normalisation", normalisation, get_args(Normalisation)),
        ("spatial", spatial, get_args(Spatial)),
        ("scale", scale, get_args(Scale)),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    if normalisation == "count" and scale != "one":
        raise ValueError(f"scale {scale} needs normalisation softmax, got {normalisation}")
