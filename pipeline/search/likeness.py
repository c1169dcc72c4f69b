"""Turns cosines with a picture, or with words, into the probability of a match.

A picture: that of one person in two places, by the calibration of the network, among as many people
as the run has. Words: that they describe the person, by the network's calibration for words, as
likely as not before. Both together: the odds are multiplied, so each counts by how sure it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Appearance, Calibration, Population, unit

Vectors = NDArray[np.float32]

_TINY = 1e-15


@dataclass(slots=True)
class PictureLikeness:
    """Compares tracks with a picture of a person: ``vector`` is ``(D,)``, a unit vector.

    What all people of a run have in common is taken away first, as the associator does.
    """

    vector: Vectors
    calibration: Calibration
    column: str = "embedding"
    _population: Population = field(init=False)

    def __post_init__(self) -> None:
        self._population = Population(self.calibration)

    def learn(self, sample: Vectors) -> None:
        """Learn what people have in common from the vectors ``(S, D)`` of some tracks."""
        self._population.learn(list(sample))

    def queries(self) -> Vectors:
        """The vectors ``(Q, D)`` with which all tracks are multiplied."""
        return np.stack([self._own().vector, self._mean()])

    def rough(self, products: Vectors) -> Vectors:
        """The cosine ``(N,)`` by the ``products`` ``(N, Q)`` of `queries`."""
        own, mean = self._own().vector, self._mean()
        length = np.sqrt(np.maximum(1 - 2 * products[:, 1] + mean @ mean, 1e-6))
        return np.asarray((products[:, 0] - own @ mean) / length, np.float32)

    def probabilities(
        self, vectors: Vectors, crops: NDArray[np.int64], people: int
    ) -> NDArray[np.float64]:
        """The probability ``(n,)`` that each of the tracks, unit vectors ``(n, D)`` of
        ``crops`` ``(n,)`` each, shows the person, if it is one of ``people``.
        """
        known = self._population
        others = [
            known.appearance(vector, known.precision(np.ones(count, np.float32)))
            for vector, count in zip(vectors, crops.tolist(), strict=True)
        ]
        return _sigmoid(known.evidence(self._own(), others) - math.log(max(people, 1)))

    def _own(self) -> Appearance:
        known = self._population
        return known.appearance(self.vector, known.precision(np.ones(1, np.float32)))

    def _mean(self) -> Vectors:
        mean = self._population.mean
        return mean if len(mean) else np.zeros_like(self.vector)


@dataclass(frozen=True, slots=True)
class WordsLikeness:
    """Compares tracks with a sentence: ``vector`` is ``(T,)``, a unit vector.

    That the words describe a person has the log-odds ``slope * (cosine - midpoint)``.
    """

    vector: Vectors
    slope: float
    midpoint: float
    column: str = "text_vector"

    def learn(self, sample: Vectors) -> None:
        """Words are compared as they are."""

    def queries(self) -> Vectors:
        """The vectors ``(Q, T)`` with which all tracks are multiplied."""
        return self.vector[None]

    def rough(self, products: Vectors) -> Vectors:
        """The cosine ``(N,)`` by the ``products`` ``(N, Q)`` of `queries`."""
        return np.asarray(products[:, 0], np.float32)

    def probabilities(
        self, vectors: Vectors, crops: NDArray[np.int64], people: int
    ) -> NDArray[np.float64]:
        """The probability ``(n,)`` that the words describe each of the tracks ``(n, T)``."""
        cosines = (vectors @ self.vector).astype(np.float64)
        return _sigmoid(self.slope * (cosines - self.midpoint))


Likeness = PictureLikeness | WordsLikeness


def joint(probabilities: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The probability ``(n,)`` by all of ``probabilities`` ``(n,)``, whose odds are multiplied.

    Where one is 0, so is that of all.
    """
    sides = np.stack(probabilities)
    kept = np.clip(sides, _TINY, 1 - _TINY)
    together = _sigmoid((np.log(kept) - np.log1p(-kept)).sum(axis=0))
    return np.where((sides > 0).all(axis=0), together, 0.0)


def unit_rows(vectors: Vectors) -> Vectors:
    """``vectors`` ``(n, D)`` with unit rows; one of zeros stays so."""
    return np.stack([unit(row) for row in vectors]) if len(vectors) else vectors


def _sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -60, 60))), np.float64)
