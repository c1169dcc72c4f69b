"""k-reciprocal re-ranking (Zhong et al., CVPR 2017): pictures with common neighbours are near.

All but the result is sparse or computed in blocks of rows, so a gallery of a hundred
thousand pictures needs no N x N matrix.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from reid_model.evaluation import unit_vectors

_BLOCK = 256


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """Of N pictures: the nearest ``(N, K)``, itself first; the farthest distance ``(N,)``."""

    nearest: NDArray[np.int64]
    farthest: NDArray[np.float32]


def rerank(
    query: NDArray[np.floating],
    gallery: NDArray[np.floating],
    k1: int = 50,
    k2: int = 15,
    weight: float = 0.3,
) -> NDArray[np.float32]:
    """Distances ``(Q, G)`` float32, in 0..1, between embeddings ``(Q, D)`` and ``(G, D)``.

    ``weight`` is the share of the original distance (squared Euclidean between unit vectors, over
    that to the farthest picture); the rest is the Jaccard distance of the ``k1`` k-reciprocal
    neighbours among queries and gallery together, averaged over the ``k2`` nearest. Identities
    and cameras are not used. The defaults are CLIP-ReID's (Li et al. 2023).

    Raises ValueError for shapes that do not fit and numbers that are not finite or out of range.
    """
    if k1 < 1 or k2 < 1 or not 0 <= weight <= 1:
        raise ValueError(f"expected k1 and k2 >= 1 and weight in 0..1, got {k1}, {k2}, {weight}")
    vectors = np.concatenate(unit_vectors(query, gallery))
    if not len(query) or not len(gallery):
        return np.zeros((len(query), len(gallery)), np.float32)
    neighbours = _neighbours(vectors, max(k1 + 1, k2))
    encoding = _averaged(_encoded(vectors, neighbours, k1), neighbours.nearest[:, :k2])
    out = _jaccard(encoding[: len(query)], encoding[len(query) :])
    out *= 1 - weight
    for rows in _blocks(len(query)):
        original = _distances(vectors[rows], vectors[len(query) :])
        out[rows] += weight * original / neighbours.farthest[rows, None]
    return out


def _blocks(count: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]


def _distances(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared Euclidean distances between unit vectors, ``(A, D)`` or ``(D,)`` and ``(B, D)``."""
    return np.asarray(np.maximum(2 - 2 * (one @ two.T), 0), np.float32)


def _neighbours(vectors: NDArray[np.float32], count: int) -> _Neighbours:
    count = min(count, len(vectors))
    nearest = np.empty((len(vectors), count), np.int64)
    farthest = np.empty(len(vectors), np.float32)
    for rows in _blocks(len(vectors)):
        distances = _distances(vectors[rows], vectors)
        farthest[rows] = np.maximum(distances.max(axis=1), np.finfo(np.float32).tiny)
        # A duplicate may be as near as the picture itself, which must come first.
        distances[np.arange(len(distances)), np.arange(len(vectors))[rows]] = -1
        some = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, some, axis=1), axis=1, kind="stable")
        nearest[rows] = np.take_along_axis(some, order, axis=1)
    return _Neighbours(nearest, farthest)


def _reciprocal(nearest: NDArray[np.int64]) -> sparse.csr_array:
    """``(N, N)`` with 1 where j is among the nearest of i, and i among the nearest of j."""
    forward = _rows_of_ones(nearest)
    return forward.multiply(forward.T).tocsr()


def _rows_of_ones(columns: NDArray[np.int64]) -> sparse.csr_array:
    count, width = columns.shape
    starts = np.arange(count + 1) * width
    ones = np.ones(columns.size, np.float32)
    return sparse.csr_array((ones, columns.ravel(), starts), shape=(count, count))


def _encoded(vectors: NDArray[np.float32], neighbours: _Neighbours, k1: int) -> sparse.csr_array:
    """Each picture as weights (summing to 1) on its k-reciprocal neighbours, ``(N, N)``."""
    near = _reciprocal(neighbours.nearest[:, : k1 + 1])
    nearer = _reciprocal(neighbours.nearest[:, : round(k1 / 2) + 1])
    parts = []
    for rows in _blocks(len(vectors)):
        weights = _expanded(near[rows], nearer)
        weights.data = _closeness(vectors, vectors[rows], neighbours.farthest[rows], weights)
        parts.append(sparse.diags_array(1 / weights.sum(axis=1)) @ weights)
    return sparse.vstack(parts, format="csr")


def _closeness(
    vectors: NDArray[np.float32],
    block: NDArray[np.float32],
    farthest: NDArray[np.float32],
    members: sparse.csr_array,
) -> NDArray[np.float32]:
    """The Gaussian weights of the non-zero entries of ``members``, in its order."""
    out = np.empty(members.nnz, np.float32)
    for row, vector in enumerate(block):
        places = slice(members.indptr[row], members.indptr[row + 1])
        distances = _distances(vector, vectors[members.indices[places]])
        out[places] = np.exp(-distances / farthest[row])
    return out


def _expanded(near: sparse.csr_array, nearer: sparse.csr_array) -> sparse.csr_array:
    """``near`` plus the ``nearer`` set of each neighbour that has over two thirds of it there."""
    shared = near.multiply(near @ nearer.T).tocoo()
    agrees = 3 * shared.data > 2 * nearer.sum(axis=1)[shared.col]
    ones = np.ones(int(agrees.sum()), np.float32)
    agreeing = sparse.csr_array(
        (ones, (shared.row[agrees], shared.col[agrees])), shape=shared.shape
    )
    return (near + agreeing @ nearer).tocsr()


def _averaged(encoding: sparse.csr_array, nearest: NDArray[np.int64]) -> sparse.csr_array:
    return (_rows_of_ones(nearest) @ encoding / nearest.shape[1]).tocsr()


def _jaccard(query: sparse.csr_array, gallery: sparse.csr_array) -> NDArray[np.float32]:
    """Jaccard distances ``(Q, G)`` between rows of weights that sum to 1."""
    by_column = gallery.tocsc()
    out = np.empty((query.shape[0], gallery.shape[0]), np.float32)
    for row in range(len(out)):
        own = query[[row]]
        theirs = by_column[:, own.indices]
        lesser = np.minimum(theirs.data, np.repeat(own.data, np.diff(theirs.indptr)))
        common = np.bincount(theirs.indices, lesser, minlength=gallery.shape[0])
        out[row] = 1 - common / (2 - common)
    return out
