"""The transformer of CLIP's ViT image encoder and of its text encoder."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class QuickGELU(nn.Module):
    """``x * sigmoid(1.702 x)``, the approximation with which OpenAI's weights were trained."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class SelfAttention(nn.Module):
    """Multi-head self-attention over tokens ``(B, N, D)``, optionally causal.

    The parameters have the names of ``nn.MultiheadAttention``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} does not split into {heads} heads")
        self._split = (heads, width // heads)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, N, 3 D)
        split = projected.reshape(*x.shape[:2], 3, *self._split)  # (B, N, 3, heads, D / heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, N, D / heads)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        merged: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))  # (B, N, D)
        return merged


class ResidualBlock(nn.Module):
    """Attention, then a two-layer perceptron, each pre-norm with a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        parts: list[tuple[str, nn.Module]] = [
            ("c_fc", nn.Linear(width, 4 * width)),
            ("gelu", QuickGELU()),
            ("c_proj", nn.Linear(4 * width, width)),
        ]
        self.mlp = nn.Sequential(OrderedDict(parts))

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        x = x + self.attn(self.ln_1(x), causal)  # (B, N, D)
        x = x + self.mlp(self.ln_2(x))  # (B, N, D)
        return x


class Transformer(nn.Module):
    """``layers`` blocks in sequence, on tokens ``(B, N, width)``; initialised as in CLIP.

    ``resblocks`` are the blocks, for intermediate outputs. Raises ValueError when the
    width does not split into the heads.
    """

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([ResidualBlock(width, heads) for _ in range(layers)])
        output_std = width**-0.5 * (2 * layers) ** -0.5
        for name, parameter in self.named_parameters():
            if name.endswith("in_proj_weight"):
                nn.init.normal_(parameter, std=width**-0.5)
            elif name.endswith(("out_proj.weight", "c_proj.weight")):
                nn.init.normal_(parameter, std=output_std)
            elif name.endswith("c_fc.weight"):
                nn.init.normal_(parameter, std=(2 * width) ** -0.5)

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        for block in self.resblocks:
            x = block(x, causal)
        return x
