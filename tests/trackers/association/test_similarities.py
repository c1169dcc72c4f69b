"""Many galleries at once say what each says alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trackers.association.appearance import similarities, similarity


def vectors(count: int, seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


@pytest.mark.parametrize("sizes", [[], [0], [1], [3, 0, 5, 1, 0], [0, 2]])
@pytest.mark.parametrize("crops", [0, 1, 4])
def test_as_one_by_one(sizes: list[int], crops: int) -> None:
    query = vectors(crops, seed=1)
    weights = np.linspace(0, 1, crops).astype(np.float32)
    galleries = [vectors(size, seed=2 + size) for size in sizes]
    expected = [similarity(query, weights, gallery) for gallery in galleries]
    found = similarities(query, weights, galleries)
    assert [cosine is None for cosine in found] == [cosine is None for cosine in expected]
    known = [cosine for cosine in found if cosine is not None]
    assert known == pytest.approx([cosine for cosine in expected if cosine is not None], abs=1e-6)


def test_a_gallery_that_lost_its_looks_says_nothing() -> None:
    faded = np.zeros((0, 0), np.float32)
    assert similarities(vectors(2, 1), np.ones(2, np.float32), [faded, vectors(2, 1)])[0] is None
