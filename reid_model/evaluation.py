"""ReID metrics: the CMC curve and mean average precision."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The ranks of the CMC curve.
RANKS = 50

#: The number of queries that are compared with the gallery at once.
_BLOCK = 256
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Ranking:
    """``cmc[k]`` is the share of queries with a correct match among the first ``k + 1``.

    ``cmc`` is ``(50,)``; ``queries`` is the number of queries with a match in the gallery.
    """

    cmc: NDArray[np.float64]
    mean_average_precision: float
    queries: int


@dataclass(frozen=True, slots=True)
class _Labels:
    """Identities and cameras, ``(N,)`` each."""

    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.identities)


def evaluate(
    query: NDArray[np.floating],
    query_ids: NDArray[np.integer],
    query_cameras: NDArray[np.integer],
    gallery: NDArray[np.floating],
    gallery_ids: NDArray[np.integer],
    gallery_cameras: NDArray[np.integer],
) -> Ranking:
    """Rank the gallery for each query by cosine similarity, with the protocol of Market-1501.

    Embeddings are ``(Q, D)`` and ``(G, D)``, of any norm; identities and cameras ``(Q,)`` and
    ``(G,)``. Gallery pictures of the query's person from the query's camera are left out; a query
    without a remaining match is skipped. The average precision of a query is the mean of the
    precision at the ranks of its matches. In a tie, wrong matches rank first, so an embedder gains
    nothing by ties.

    Raises ValueError for shapes that do not fit, numbers that are not finite, and when no query
    has a match.
    """
    unit_query, unit_gallery = unit_vectors(query, gallery)
    rows = (
        row
        for start in range(0, len(unit_query), _BLOCK)
        for row in unit_query[start : start + _BLOCK] @ unit_gallery.T
    )
    return _ranking(
        rows,
        _labels("query", len(query), query_ids, query_cameras),
        _labels("gallery", len(gallery), gallery_ids, gallery_cameras),
    )


def evaluate_distances(
    distances: NDArray[np.floating],
    query_ids: NDArray[np.integer],
    query_cameras: NDArray[np.integer],
    gallery_ids: NDArray[np.integer],
    gallery_cameras: NDArray[np.integer],
) -> Ranking:
    """`evaluate` for distances ``(Q, G)``, for instance re-ranked ones. Raises as `evaluate`."""
    if distances.ndim != 2 or not np.isfinite(distances).all():
        raise ValueError(f"distances must be finite (Q, G), got shape {distances.shape}")
    return _ranking(
        (-row for row in distances),
        _labels("query", distances.shape[0], query_ids, query_cameras),
        _labels("gallery", distances.shape[1], gallery_ids, gallery_cameras),
    )


def unit_vectors(
    query: NDArray[np.floating], gallery: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings ``(Q, D)`` and ``(G, D)`` as unit vectors.

    Raises ValueError for shapes that do not fit and numbers that are not finite.
    """
    one, two = _unit(query), _unit(gallery)
    if one.shape[1] != two.shape[1]:
        raise ValueError(
            "query and gallery embeddings must have the same size, "
            f"got {one.shape[1]} and {two.shape[1]}"
        )
    return one, two


def _unit(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    if embeddings.ndim != 2 or not np.isfinite(embeddings).all():
        raise ValueError(f"embeddings must be finite (N, D), got shape {embeddings.shape}")
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, _TINY), np.float32)


def _labels(
    what: str, count: int, identities: NDArray[np.integer], cameras: NDArray[np.integer]
) -> _Labels:
    if identities.shape != (count,) or cameras.shape != (count,):
        raise ValueError(
            f"{count} {what} pictures need as many identities and cameras, "
            f"got shapes {identities.shape} and {cameras.shape}"
        )
    return _Labels(identities.astype(np.int64), cameras.astype(np.int64))


def _ranking(
    similarities: Iterable[NDArray[np.floating]], query: _Labels, gallery: _Labels
) -> Ranking:
    """The ranking for the rows ``(G,)`` of ``similarities``, one for each query."""
    first_hits = np.zeros(RANKS)
    precisions = []
    for ranks in _hits(similarities, query, gallery):
        precisions.append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
        first_hits[ranks[0] - 1 : ranks[0]] += 1  # nothing for ranks beyond the curve
    if not precisions:
        raise ValueError("no query has a match in the gallery: no person was seen by two cameras")
    return Ranking(
        first_hits.cumsum() / len(precisions), float(np.mean(precisions)), len(precisions)
    )


def _hits(
    similarities: Iterable[NDArray[np.floating]], query: _Labels, gallery: _Labels
) -> Iterator[NDArray[np.int64]]:
    """The ranks of the correct matches, from 1 and ascending, for every query that has any."""
    for row, identity, camera in zip(similarities, query.identities, query.cameras, strict=True):
        same = gallery.identities == identity
        matches = row[same & (gallery.cameras != camera)]
        if len(matches):
            others = np.sort(row[~same])
            matches = np.sort(matches)[::-1]
            before = len(others) - np.searchsorted(others, matches, side="left")
            yield before + np.arange(1, len(matches) + 1)
