"""Evidence from embeddings: do two sets of exemplars show one person?"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: As many pairs of this site weigh as much as all that was known before.
TRUST_PAIRS = 10.0


@dataclass(frozen=True, slots=True)
class Line:
    """From cosine similarity to log-odds of being one person: ``slope * (cosine - midpoint)``."""

    slope: float
    midpoint: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the cosines of an embedder are worth; it belongs to its weights.

    Fitted by logistic regression on pairs of crops: a person looks more like themselves in the
    same camera than in another one. ``strangers`` is the mean cosine of two people where this was
    fitted; None leaves the site's own out of account.
    """

    other_cameras: Line
    same_camera: Line
    strangers: float | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """How far an embedder is believed: a ``share`` of what its line says, ``most`` at most.

    A line was fitted on one dataset and is used on another, so what it says is worth less.
    """

    share: float
    most: float


#: However alike two people look, appearance alone must not outvote everything else.
AMONG_MANY = Trust(0.5, 3.0)
#: Of a few who can have come, fewer look alike. The share that fits best was 0.65 on CUHK03 and
#: 0.9 on Market-1501 (retail-0286, its line fitted on CUHK01).
AMONG_FEW = Trust(0.75, 6.0)


@dataclass(slots=True)
class Strangers:
    """How alike two different people look on this site, learnt while running.

    Two tracks of one camera at one time are surely two people. Small, dark or foggy pictures make
    all people alike, which moves the point where likeness begins to mean something.
    """

    pairs: int = 0
    total: float = 0.0
    squares: float = 0.0

    def see(self, cosine: float) -> None:
        """Take the similarity of two people."""
        self.pairs += 1
        self.total += cosine
        self.squares += cosine * cosine

    def most_alike(self, deviations: float) -> float:
        """The cosine so many standard deviations above the mean; that of all before any pair."""
        if not self.pairs:
            return -1.0
        mean = self.total / self.pairs
        return mean + deviations * math.sqrt(max(self.squares / self.pairs - mean * mean, 0.0))

    def shift(self, expected: float | None) -> float:
        """By how much the cosines of this site lie above those of the calibration."""
        if expected is None or not self.pairs:
            return 0.0
        return (self.total - expected * self.pairs) / (self.pairs + TRUST_PAIRS)


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


def appearance_evidence(
    cosine: float | None, line: Line, shift: float = 0.0, trust: Trust = AMONG_MANY
) -> float | None:
    """Log-odds of one person over two people, bounded; None when there is nothing to compare.

    ``shift`` is taken off the cosine first.
    """
    if cosine is None:
        return None
    evidence = trust.share * line.slope * (cosine - shift - line.midpoint)
    return min(max(evidence, -trust.most), trust.most)
