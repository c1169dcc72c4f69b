"""Cross-modal alignment: picture tokens and text tokens through one transformer.

FusionSegReID (arXiv 2503.21595) asks for a Transformer that maps pictures and texts onto each
other; the shape is IRRA's (Jiang and Ye, CVPR 2023), smaller. A side that is missing is one learned
token, so that a picture alone, a text alone and both are read by the same weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Tokens:
    """One side: ``values (B, N, width)``, and where they are: ``present (B, N)`` bool."""

    values: Tensor
    present: Tensor


@dataclass(frozen=True, slots=True)
class States:
    """What the transformer says: of the identity, and for the mask, each ``(B, width)``."""

    identity: Tensor
    segmentation: Tensor


class AttentionBlock(nn.Module):
    """Attention, then an MLP twice as wide, each pre-norm. A new one changes nothing."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        last = nn.Linear(2 * width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), last)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.out, last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, hidden: Tensor | None, first: int) -> Tensor:
        """The ``first`` of the tokens ``(B, N, width)``, after they have looked at all of them.

        ``hidden (B, 1, 1, N)`` is added to the attention: minus infinity where a token is none.
        """
        u = self.norm1(x)
        key, value = self.key_value(u).chunk(2, dim=2)  # (B, N, width) each
        attended = F.scaled_dot_product_attention(
            self._split(self.query(u[:, :first])), self._split(key), self._split(value), hidden
        )
        x = x[:, :first] + self.dropout(self.out(attended.transpose(1, 2).flatten(2)))
        y: Tensor = x + self.dropout(self.mlp(self.norm2(x)))
        return y

    def _split(self, x: Tensor) -> Tensor:
        """``(B, N, width)`` to ``(B, heads, N, width / heads)``."""
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


class CrossModalTransformer(nn.Module):
    """``layers`` blocks over two tokens of its own, those of the picture and those of the text.

    Its own two start from the mean of what is given, so that little is left for attention to find.

    The picture has ``grid`` (height, width) tokens, each with a learned position.
    Raises ValueError when ``heads`` does not divide ``width``.
    """

    def __init__(
        self, width: int, layers: int, heads: int, grid: tuple[int, int], dropout: float = 0.1
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        self.asked = nn.Parameter(0.02 * torch.randn(2, width))
        self.no_picture = nn.Parameter(0.02 * torch.randn(1, width))
        self.no_text = nn.Parameter(0.02 * torch.randn(1, width))
        self.is_picture = nn.Parameter(0.02 * torch.randn(width))
        self.is_text = nn.Parameter(0.02 * torch.randn(width))
        self.positions = nn.Parameter(0.02 * torch.randn(grid[0] * grid[1], width))
        self.blocks = nn.ModuleList(AttentionBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, picture: Tensor | None, text: Tokens | None) -> States:
        """Picture tokens ``(B, N, width)`` and text tokens, either of which may be None.

        Raises ValueError without either.
        """
        if picture is None and text is None:
            raise ValueError("expected a picture, a text or both")
        given = picture if picture is not None else text.values  # type: ignore[union-attr]
        return self.read(given.shape[0], self.picture_tokens(picture), text)

    def picture_tokens(self, picture: Tensor | None) -> Tokens | None:
        """All of a picture's tokens ``(B, N, width)``, with their places."""
        if picture is None:
            return None
        present = torch.ones(picture.shape[:2], dtype=torch.bool, device=picture.device)
        return Tokens(picture + self.positions, present)

    def read(self, count: int, picture: Tokens | None, text: Tokens | None) -> States:
        """As `forward`, for ``count`` samples of which some may lack a side (`dropped`)."""
        sides = [
            self._side(count, picture, self.no_picture, self.is_picture),
            self._side(count, text, self.no_text, self.is_text),
        ]
        values = torch.cat([side.values for side in sides], dim=1)
        means = sum(_mean(side) for side in sides)  # (B, 1, width)
        x = torch.cat([self.asked + means, values], dim=1)
        hidden = _hidden(count, len(self.asked), sides)
        for number, block in enumerate(self.blocks, 1):
            x = block(x, hidden, x.shape[1] if number < len(self.blocks) else len(self.asked))
        identity, segmentation = self.norm(x).unbind(dim=1)
        return States(identity, segmentation)

    def of_means(self, picture: Tensor | None, text: Tensor | None) -> Tensor:
        """The identity ``(B, width)`` that a new transformer, whose blocks change nothing, makes of
        sides that are given by the mean of their tokens, ``(B, width)`` or None."""
        of_picture = self.no_picture[0] if picture is None else picture + self._everywhere()
        of_text = self.no_text[0] if text is None else text + self.is_text
        identity: Tensor = self.norm(self.asked[0] + of_picture + of_text)
        return identity

    def _everywhere(self) -> Tensor:
        return self.positions.mean(dim=0) + self.is_picture

    def _side(self, count: int, side: Tokens | None, missing: Tensor, kind: Tensor) -> Tokens:
        """A side's tokens, and the one that stands for it where it has none."""
        missing = missing.expand(count, -1, -1)  # (B, 1, width)
        if side is None:
            there = torch.ones(count, 1, dtype=torch.bool, device=missing.device)
            return Tokens(missing, there)
        if not self.training:
            return Tokens(side.values + kind, side.present)
        absent = ~side.present.any(dim=1, keepdim=True)  # (B, 1)
        return Tokens(
            torch.cat([missing, side.values + kind], dim=1),
            torch.cat([absent, side.present], dim=1),
        )


def _mean(side: Tokens) -> Tensor:
    """The mean of the tokens that are there: ``(B, 1, width)``."""
    present = side.present.unsqueeze(2).to(side.values.dtype)  # (B, N, 1)
    total: Tensor = (side.values * present).sum(dim=1, keepdim=True)
    return total / present.sum(dim=1, keepdim=True)


def dropped(
    picture: Tokens, text: Tokens, probability: float, generator: torch.Generator
) -> tuple[Tokens, Tokens]:
    """Modality dropout: some samples lose their picture, as many their text, none both."""
    drawn = torch.rand(len(picture.present), generator=generator)[:, None]  # (B, 1)
    return (
        Tokens(picture.values, picture.present & (drawn >= probability)),
        Tokens(text.values, text.present & (drawn < 1 - probability)),
    )


def _hidden(count: int, own: int, sides: list[Tokens]) -> Tensor | None:
    """What hides absent tokens from the attention: ``(B, 1, 1, N)``; None where all are there."""
    if all(side.present.all() for side in sides):
        return None
    present = torch.cat(
        [torch.ones(count, own, dtype=torch.bool), *(side.present for side in sides)], dim=1
    )
    hidden = torch.zeros(present.shape).masked_fill(~present, -torch.inf)
    return hidden[:, None, None]
