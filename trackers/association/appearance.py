"""Evidence from embeddings: do two sets of exemplars show one person?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# However alike two people look, appearance alone must not outvote everything else.
_MOST_EVIDENCE = 5.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """From cosine similarity to log-odds of being one person: ``slope * (cosine - midpoint)``.

    It belongs to the weights of an embedder: fitted by logistic regression on pairs of tracklets
    of people that the embedder was not trained on.
    """

    slope: float
    midpoint: float


def similarity(
    query: NDArray[np.float32],
    query_weights: NDArray[np.float32],
    gallery: NDArray[np.float32],
) -> float | None:
    """How alike two sets of exemplars are, as a cosine in -1..1; None when one of them is empty.

    ``query`` is ``(K, D)`` and ``gallery`` ``(M, D)``, unit vectors; ``query_weights`` ``(K,)``.
    Each query exemplar looks for its best counterpart, because one person looks different from
    the front and from behind; the best counterparts are averaged by weight.
    """
    if not len(query) or not len(gallery):
        return None
    best = (query @ gallery.T).max(axis=1)
    # Crops of no quality still count, for there may be no others.
    weights = np.maximum(query_weights, 1e-3)
    return float(best @ weights / weights.sum())


def appearance_evidence(cosine: float | None, calibration: Calibration) -> float:
    """Log-odds of one person over two people, bounded; 0 when there is nothing to compare."""
    if cosine is None:
        return 0.0
    evidence = calibration.slope * (cosine - calibration.midpoint)
    return min(max(evidence, -_MOST_EVIDENCE), _MOST_EVIDENCE)
