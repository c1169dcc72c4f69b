"""Simulated embeddings with the cosine distribution measured on crops of real people.

An embedding is the normalised sum of independent components: one common to all crops, one of the
camera, one of the person, one of the visit (pose, light, carried objects), and one of the crop.
The expected cosine of two crops is the sum of the squared lengths of their shared components,
which determines the lengths. The standard deviations of impostor pairs and of the same person
determine the number of dimensions and the variation between visits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Mean cosines of the crops of 100 people in two cameras, embedded by retail-0286
#: (`./scripts/bench spread`; CUHK03 val).
IMPOSTORS = 0.100
IMPOSTORS_SAME_CAMERA = 0.139
SAME_PERSON = 0.439
SAME_VISIT = 0.789
#: Number of dimensions that gives impostor pairs the measured standard deviation, 0.090.
EFFECTIVE_DIMENSION = 96
#: Log-normal spread that gives a person in two cameras the measured standard deviation, 0.116.
VISIT_SPREAD = 0.5
#: Dimension of the network's embeddings; those beyond the effective ones are zero.
DIMENSION = 256

_COMMON = IMPOSTORS**0.5
_CAMERA = (IMPOSTORS_SAME_CAMERA - IMPOSTORS) ** 0.5
_PERSON = (SAME_PERSON - IMPOSTORS) ** 0.5
_VISIT = (SAME_VISIT - SAME_PERSON - IMPOSTORS_SAME_CAMERA + IMPOSTORS) ** 0.5
_CROP = (1 - SAME_VISIT) ** 0.5

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AppearanceModel:
    """Draws embeddings; they depend only on the seed and the numbers, not on the order."""

    seed: int

    def crops(self, person: int, camera: int, visit: int, count: int, piece: int = 0) -> Vectors:
        """Unit vectors ``(count, DIMENSION)`` float32 of a visit, or of a ``piece`` of it."""
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
        scale = np.exp(VISIT_SPREAD * rng.standard_normal() - VISIT_SPREAD**2 / 2)
        return _normal(rng, 1) * np.float32(scale)

    def _part(self, *name: int, rows: int = 1) -> Vectors:
        return _normal(np.random.default_rng([self.seed, *name]), rows)


def _normal(rng: np.random.Generator, rows: int) -> Vectors:
    """Normal vectors ``(rows, EFFECTIVE_DIMENSION)`` float32 of expected length 1."""
    values = rng.standard_normal((rows, EFFECTIVE_DIMENSION), dtype=np.float32)
    return values / np.float32(EFFECTIVE_DIMENSION**0.5)
