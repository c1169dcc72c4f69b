"""Embeddings as real ones are spread: drawn from what was measured on crops of real people.

An embedding is the sum of independent parts, made a unit vector: what all crops have in common,
what those of one camera have, the person, the person on this visit (pose, light, what they
carry), and the crop. The cosine that two crops are expected to have is the sum of the squared
lengths of the parts they share, which gives the lengths; how far the cosines of strangers and of
one person stray gives the dimensions and how much visits differ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Mean cosines of the crops of 100 people in two cameras, embedded by retail-0286
#: (`./scripts/bench spread`; CUHK03 val).
STRANGERS = 0.100
STRANGERS_SAME_CAMERA = 0.139
SAME_PERSON = 0.439
SAME_VISIT = 0.789
#: As many dimensions as give strangers the measured standard deviation, 0.090.
EFFECTIVE_DIMENSION = 96
#: Log-normal, which gives one person in two cameras the measured standard deviation, 0.116.
VISIT_SPREAD = 0.5
#: As long as the network's; what is beyond the effective ones is zero.
DIMENSION = 256

_COMMON = STRANGERS**0.5
_CAMERA = (STRANGERS_SAME_CAMERA - STRANGERS) ** 0.5
_PERSON = (SAME_PERSON - STRANGERS) ** 0.5
_VISIT = (SAME_VISIT - SAME_PERSON - STRANGERS_SAME_CAMERA + STRANGERS) ** 0.5
_CROP = (1 - SAME_VISIT) ** 0.5

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Looks:
    """Draws embeddings; the same seed and numbers give the same ones, in any order."""

    seed: int

    def crops(self, person: int, camera: int, visit: int, count: int, piece: int = 0) -> Vectors:
        """``(count, DIMENSION)`` unit vectors of one visit, or of a ``piece`` of it."""
        shared = (
            _COMMON * self._part(0)
            + _CAMERA * self._part(1, camera)
            + _PERSON * self._part(2, person)
            + _VISIT * self._visit(visit)
        )
        crops = np.zeros((count, DIMENSION), np.float32)
        crops[:, :EFFECTIVE_DIMENSION] = shared + _CROP * self._part(4, visit, piece, rows=count)
        crops /= np.linalg.norm(crops, axis=1, keepdims=True)
        return crops

    def _visit(self, visit: int) -> Vectors:
        rng = np.random.default_rng([self.seed, 3, visit])
        strange = np.exp(VISIT_SPREAD * rng.standard_normal() - VISIT_SPREAD**2 / 2)
        return _normal(rng, 1) * np.float32(strange)

    def _part(self, *name: int, rows: int = 1) -> Vectors:
        return _normal(np.random.default_rng([self.seed, *name]), rows)


def _normal(rng: np.random.Generator, rows: int) -> Vectors:
    """``(rows, EFFECTIVE_DIMENSION)`` of expected length 1."""
    values = rng.standard_normal((rows, EFFECTIVE_DIMENSION), dtype=np.float32)
    return values / np.float32(EFFECTIVE_DIMENSION**0.5)
