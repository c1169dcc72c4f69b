"""Evidence from embeddings: do two sets of exemplars show one person?"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

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


def similarities(
    query: NDArray[np.float32],
    query_weights: NDArray[np.float32],
    galleries: Sequence[NDArray[np.float32]],
) -> list[float | None]:
    """What `similarity` says of ``query`` and each of ``galleries``, in their order."""
    sizes = [len(gallery) for gallery in galleries]
    found: list[float | None] = [None] * len(galleries)
    some = [number for number, size in enumerate(sizes) if size]
    if not some or not len(query):
        return found
    # The cosines are joined, not the galleries: these are large to copy.
    cosines = np.concatenate([query @ galleries[number].T for number in some], axis=1)
    firsts = [0, *accumulate(sizes[number] for number in some[:-1])]
    best = np.maximum.reduceat(cosines, firsts, axis=1)
    weights = np.maximum(query_weights, 1e-3)
    for number, cosine in zip(some, (weights / weights.sum()) @ best, strict=True):
        found[number] = float(cosine)
    return found


_FIRST_ROWS = 64


def mean_look(exemplars: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(D,)``, the unit vector amid ``(K, D)`` of them, K at least 1."""
    mean = exemplars.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)


class Lookalikes:
    """The looks of people by their global id. Nothing is computed before it is asked for."""

    def __init__(self) -> None:
        self._changed: dict[int, NDArray[np.float32]] = {}
        self._row: dict[int, int] = {}
        self._names: list[int] = []
        self._looks = np.zeros((0, 0), np.float32)

    def put(self, name: int, exemplars: NDArray[np.float32]) -> None:
        """``(K, D)`` exemplars in place of those known by this name."""
        if len(exemplars):
            self._changed[name] = exemplars

    def drop(self, name: int) -> None:
        """Leave out what may be known by this name."""
        self._changed.pop(name, None)
        row = self._row.pop(name, None)
        if row is None:
            return
        last = self._names.pop()
        if last != name:
            self._names[row], self._row[last] = last, row
            self._looks[row] = self._looks[len(self._names)]

    def most(self, exemplars: NDArray[np.float32], count: int) -> Iterable[int]:
        """The names of the ``count`` that are most like ``(K, D)`` exemplars; none for none."""
        self._take_changed()
        if not len(exemplars) or len(self._names) <= count:
            return self._names if len(exemplars) else ()
        cosines = self._looks[: len(self._names)] @ mean_look(exemplars)
        return [self._names[row] for row in np.argpartition(-cosines, count)[:count]]

    def _take_changed(self) -> None:
        for name, exemplars in self._changed.items():
            row = self._row.setdefault(name, len(self._names))
            if row == len(self._names):
                self._names.append(name)
            if row == len(self._looks):
                more = np.zeros((max(2 * row, _FIRST_ROWS), exemplars.shape[1]), np.float32)
                more[:row] = self._looks if row else more[:0]
                self._looks = more
            self._looks[row] = mean_look(exemplars)
        self._changed.clear()
