"""The token grid of a picture, and positional embeddings resized to another grid."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def grid_of(image_size: tuple[int, int], patch: int, stride: int) -> tuple[int, int]:
    """Rows and columns of a picture's tokens: patches of ``patch`` pixels every ``stride`` pixels.

    ``image_size`` is height and width in pixels. Raises ValueError when no patch fits.
    """
    if patch < 1 or stride < 1:
        raise ValueError(f"patch and stride must be at least 1, got {patch} and {stride}")
    if min(image_size) < patch:
        raise ValueError(f"a picture must be at least {patch}x{patch} pixels, got {image_size}")
    height, width = image_size
    return (height - patch) // stride + 1, (width - patch) // stride + 1


def check_pictures(pictures: Tensor, image_size: tuple[int, int]) -> None:
    """Raise ValueError unless ``pictures`` are ``(B, 3, height, width)``: positions are fixed."""
    # A trace cannot contain this check, and would warn about it.
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return
    if tuple(pictures.shape[1:]) != (3, *image_size):
        height, width = image_size
        raise ValueError(f"pictures must be (B, 3, {height}, {width}), got {tuple(pictures.shape)}")


def resize_positional(embedding: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize a positional embedding from its square grid to ``grid`` (CLIP-ReID, Li et al. 2023).

    ``embedding`` is ``(1 + S * S, D)``: row 0 belongs to the class or mean token and is kept, the
    others belong to an S x S grid, row by row, and are interpolated bilinearly. Returns ``(1 + rows
    * columns, D)``, row by row. An embedding with that many rows, but without a square grid, is
    returned unchanged.

    Raises ValueError when the rows after the first make neither a square nor ``grid``.
    """
    rows, columns = grid
    side = math.isqrt(max(len(embedding) - 1, 0))
    if embedding.ndim != 2 or side == 0 or side * side != len(embedding) - 1:
        if embedding.ndim == 2 and len(embedding) == 1 + rows * columns:
            return embedding
        raise ValueError(
            f"a positional embedding must be (1 + S * S, D) or (1 + {rows} * {columns}, D), "
            f"got {tuple(embedding.shape)}"
        )
    return stretched(embedding, (side, side), grid)


def stretched(embedding: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """``(1 + rows * columns, D)`` with its ``old`` grid resized to ``new``; row 0 is kept."""
    grid = embedding[1:].T.reshape(1, -1, *old)  # (1, D, rows, columns)
    resized = F.interpolate(grid, size=new, mode="bilinear", align_corners=False)
    return torch.cat([embedding[:1], resized.flatten(2)[0].T])  # (1 + rows * columns, D)
