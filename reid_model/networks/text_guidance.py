"""The text-guided image module (TGI): class texts attend to a picture before they classify it.

Electronics 2025, 14(3), 525, with the architecture of DenseCLIP's context decoder. Training only:
neither this module nor the texts are needed to embed a crop.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: The residual of the cross-attention: the layer's ``state``, or that state ``normalised``, which
#: the paper's wording also allows.
Residual = Literal["state", "normalised"]


class Attention(nn.Module):
    """Multi-head attention; no bias in queries, keys and values, no dropout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        """``(B, C, width)`` and ``(B, N, width)`` give ``(B, C, width)``."""
        # Fused attention never stores the (B, heads, C, N) matrix: 1.1 GB at C = N = 1041, B = 64.
        mixed = F.scaled_dot_product_attention(
            self._split(self.query(queries)),
            self._split(self.key(memory)),
            self._split(self.value(memory)),
        )  # (B, heads, C, width / heads)
        attended: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return attended

    def _split(self, x: Tensor) -> Tensor:
        """``(B, N, width)`` to ``(B, heads, N, width / heads)``."""
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


class GuidanceLayer(nn.Module):
    """Self-attention of the texts, cross-attention to the picture, then an MLP, each pre-norm."""

    def __init__(self, width: int, heads: int, dropout: float, residual: Residual) -> None:
        super().__init__()
        self.residual = residual
        self.norm1 = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.cross_attention = Attention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """``(B, C, width)`` and ``(B, N, width)`` give ``(B, C, width)``.

        An ``x`` of ``(1, C, width)`` is shared by all pictures: its self-attention is computed
        once, and only the dropout after it differs between pictures.
        """
        u = self.norm1(x)
        attended = self.self_attention(u, u).expand(memory.shape[0], -1, -1)
        x = x + self.dropout(attended)  # (B, C, width)
        u = self.norm2(x)
        base = u if self.residual == "normalised" else x
        x = base + self.dropout(self.cross_attention(u, memory))
        x = x + self.dropout(self.mlp(self.norm3(x)))
        return x


class TextGuidance(nn.Module):
    """Class texts adapted to each picture: ``T' = T + gamma * delta(T, picture)``.

    ``text_width`` is the length of a class text, ``visual_width`` the channels of the stage-3
    map. ``gamma`` is a learned vector, initially ``1e-4``.
    Raises ValueError when ``heads`` does not divide ``width``, and for an unknown residual.
    """

    def __init__(
        self,
        text_width: int = 1024,
        visual_width: int = 1024,
        *,
        width: int = 256,
        heads: int = 4,
        layers: int = 3,
        dropout: float = 0.1,
        gamma: float = 1e-4,
        residual: Residual = "state",
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        if residual not in get_args(Residual):
            raise ValueError(f"residual must be state or normalised, got {residual!r}")
        self.memory = nn.Sequential(
            nn.LayerNorm(visual_width), nn.Linear(visual_width, width), nn.LayerNorm(width)
        )
        self.text = nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, width))
        self.layers = nn.ModuleList(
            GuidanceLayer(width, heads, dropout, residual) for _ in range(layers)
        )
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, text_width))
        self.gamma = nn.Parameter(torch.full((text_width,), gamma))
        self.apply(_initialise)

    def forward(self, text: Tensor, visual: Tensor) -> Tensor:
        """Texts ``(C, text_width)`` and a map ``(B, visual_width, H, W)``: ``(B, C, text_width)``.

        The texts are frozen: no gradient reaches them.
        """
        text = text.detach()
        memory = self.memory(visual.flatten(2).transpose(1, 2))  # (B, N, width)
        x = self.text(text).unsqueeze(0)  # (1, C, width), the same for all pictures
        for layer in self.layers:
            x = layer(x, memory)  # (B, C, width)
        delta: Tensor = self.out(x)  # (B, C, text_width)
        return text + self.gamma * delta


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
