"""Grids of tokens, and positional embeddings for another grid."""

import pytest
import torch

from reid_model.networks.positional import check_pictures, grid_of, resize_positional


@pytest.mark.parametrize(
    ("size", "patch", "stride", "grid"),
    [
        ((256, 128), 16, 16, (16, 8)),
        ((256, 128), 16, 12, (21, 10)),
        ((224, 224), 16, 16, (14, 14)),
        ((16, 16), 16, 16, (1, 1)),
    ],
)
def test_grid(size: tuple[int, int], patch: int, stride: int, grid: tuple[int, int]) -> None:
    assert grid_of(size, patch, stride) == grid


def test_grid_refused() -> None:
    with pytest.raises(ValueError, match="at least 16x16 pixels"):
        grid_of((15, 128), 16, 16)
    with pytest.raises(ValueError, match="at least 1"):
        grid_of((256, 128), 16, 0)


def bilinear(square: torch.Tensor, grid: tuple[int, int]) -> list[torch.Tensor]:
    """The same, token by token: ``square`` is ``(S, S, D)``, the result is row by row."""
    side = len(square)
    tokens = []
    for row in range(grid[0]):
        for column in range(grid[1]):
            y = min(max((row + 0.5) * side / grid[0] - 0.5, 0), side - 1)
            x = min(max((column + 0.5) * side / grid[1] - 0.5, 0), side - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, side - 1), min(left + 1, side - 1)
            upper = square[top, left] * (1 - x + left) + square[top, right] * (x - left)
            lower = square[bottom, left] * (1 - x + left) + square[bottom, right] * (x - left)
            tokens.append(upper * (1 - y + top) + lower * (y - top))
    return tokens


@pytest.mark.parametrize("grid", [(16, 8), (21, 10), (3, 5), (1, 1)])
def test_resize_against_a_plain_reference(grid: tuple[int, int]) -> None:
    embedding = torch.randn(1 + 7 * 7, 6, generator=torch.Generator().manual_seed(0))
    resized = resize_positional(embedding, grid)
    assert resized.shape == (1 + grid[0] * grid[1], 6)
    torch.testing.assert_close(resized[0], embedding[0], rtol=0, atol=0)
    expected = torch.stack(bilinear(embedding[1:].reshape(7, 7, 6), grid))
    torch.testing.assert_close(resized[1:], expected, rtol=0, atol=1e-5)


def test_the_same_grid_changes_nothing() -> None:
    embedding = torch.randn(50, 4)
    torch.testing.assert_close(resize_positional(embedding, (7, 7)), embedding)


def test_a_square_grid_of_as_many_tokens_is_resized_too() -> None:
    embedding = torch.arange(17.0)[:, None]
    assert not torch.equal(resize_positional(embedding, (8, 2)), embedding)


def test_a_resized_embedding_is_kept() -> None:
    embedding = torch.randn(129, 4)
    assert resize_positional(embedding, (16, 8)) is embedding


@pytest.mark.parametrize("shape", [(48, 4), (1, 4), (0, 4), (50,), (1, 50, 4)])
def test_resize_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(1 \+ S \* S, D\) or \(1 \+ 16 \* 8, D\)"):
        resize_positional(torch.zeros(shape), (16, 8))


def test_pictures() -> None:
    check_pictures(torch.zeros(0, 3, 8, 4), (8, 4))
    for shape in ((1, 3, 4, 8), (1, 1, 8, 4), (3, 8, 4)):
        with pytest.raises(ValueError, match=r"must be \(B, 3, 8, 4\)"):
            check_pictures(torch.zeros(shape), (8, 4))
