"""k-reciprocal re-ranking against the definitions, computed picture by picture."""

import numpy as np
import pytest

from reid_model.evaluation import evaluate, evaluate_distances
from reid_model.rerank import rerank


def plain(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """The same with sets and loops, in float64."""
    vectors = np.concatenate([query, gallery]).astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    distance /= distance.max(axis=1, keepdims=True)
    everyone = range(len(vectors))
    order = [sorted(everyone, key=lambda j, i=i: (j != i, distance[i, j])) for i in everyone]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    encoding = np.zeros_like(distance)
    for i in everyone:
        near = reciprocal(i, k1)
        grown = set(near)
        for j in near:
            circle = reciprocal(j, round(k1 / 2))
            if len(circle & near) > 2 / 3 * len(circle):
                grown |= circle
        for j in grown:
            encoding[i, j] = np.exp(-distance[i, j])
        encoding[i] /= encoding[i].sum()
    encoding = np.array([encoding[order[i][:k2]].mean(axis=0) for i in everyone])
    out = np.zeros((len(query), len(gallery)))
    for i in range(len(query)):
        for j in range(len(gallery)):
            other = len(query) + j
            lesser = np.minimum(encoding[i], encoding[other]).sum()
            greater = np.maximum(encoding[i], encoding[other]).sum()
            out[i, j] = (1 - weight) * (1 - lesser / greater) + weight * distance[i, other]
    return out


def people(count: int, pictures: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around a centre for each person, and their identities."""
    random = np.random.default_rng(seed)
    ids = np.repeat(np.arange(count), pictures)
    return random.normal(size=(count, 8))[ids] + noise * random.normal(size=(len(ids), 8)), ids


@pytest.mark.parametrize(
    ("k1", "k2", "weight"),
    [(7, 3, 0.3), (20, 6, 0.3), (6, 1, 0.0), (1, 1, 1.0), (50, 15, 0.3), (100, 100, 0.5)],
)
def test_against_the_definition(k1: int, k2: int, weight: float) -> None:
    vectors, _ = people(10, 7, noise=0.9)
    query, gallery = vectors[::7], np.delete(vectors, slice(None, None, 7), axis=0)
    found = rerank(query, gallery, k1, k2, weight)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain(query, gallery, k1, k2, weight), atol=2e-6)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = people(9, 5, noise=0.8)
    whole = rerank(vectors[:11], vectors[11:], 8, 4)
    monkeypatch.setattr("reid_model.rerank._BLOCK", 4)
    np.testing.assert_allclose(rerank(vectors[:11], vectors[11:], 8, 4), whole, atol=1e-6)


def test_neighbours_help_where_similarity_alone_does_not() -> None:
    vectors, ids = people(30, 8, noise=0.9, seed=4)
    cameras = np.tile(np.arange(8), 30)
    query = cameras == 0
    names = (ids[query], cameras[query], ids[~query], cameras[~query])
    before = evaluate(vectors[query], *names[:2], vectors[~query], *names[2:])
    after = evaluate_distances(rerank(vectors[query], vectors[~query], 10, 4), *names)
    assert after.mean_average_precision > before.mean_average_precision + 0.02


def test_copies_of_one_picture_are_nearest() -> None:
    vectors, _ = people(6, 4, noise=0.5)
    gallery = np.concatenate([vectors, vectors[:1], vectors[:1]])
    found = rerank(vectors[:1], gallery, 5, 2)
    assert set(np.argsort(found[0], kind="stable")[:3]) == {0, 24, 25}


def test_identical_embeddings() -> None:
    found = rerank(np.ones((2, 3)), np.ones((4, 3)), 5, 2)
    assert np.isfinite(found).all()
    assert np.ptp(found) == 0


def test_more_copies_of_a_picture_than_neighbours() -> None:
    """Each must still be its own nearest, or it would have no reciprocal neighbour at all."""
    vectors, _ = people(2, 1, noise=0)
    found = rerank(vectors, np.repeat(vectors, 30, axis=0), 4, 2)
    assert np.isfinite(found).all()
    assert found[0, :30].max() < found[0, 30:].min()


def test_nothing_to_rank() -> None:
    assert rerank(np.zeros((0, 3)), np.ones((4, 3))).shape == (0, 4)
    assert rerank(np.ones((2, 3)), np.zeros((0, 3))).shape == (2, 0)


def test_bad_input() -> None:
    good = np.ones((2, 3))
    with pytest.raises(ValueError, match="finite"):
        rerank(good, np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="the same size"):
        rerank(good, np.ones((2, 4)))
    for arguments in ((0, 1, 0.3), (1, 0, 0.3), (1, 1, 1.5)):
        with pytest.raises(ValueError, match="k1 and k2"):
            rerank(good, good, *arguments)
