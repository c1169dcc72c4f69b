"""What changes from crop to crop of one person: pose, light, occlusion.

Two crops of one track show one person, so the directions in which they differ are known on every
site. Where an embedder lets them outweigh the person, they are attenuated: within-class covariance
normalisation (Hatch et al., Within-class covariance normalization, 2006), with every direction
weighed by how much of its variance is due to the person.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

# This many tracks weigh as much as the expectation that crops do not differ.
_TRUST_TRACKS = 2.0
# The strongest directions; the others differ little.
_DIRECTIONS = 64
_LEAST = 1e-6


def within_variation(sets: Sequence[Vector]) -> NDArray[np.float16]:
    """Directions ``(K, D)`` for `without_variation`, from the exemplars ``(N, D)`` of tracks.

    ``(0, 0)`` where no two tracks have two exemplars.
    """
    some = [exemplars for exemplars in sets if len(exemplars) > 1]
    if len(some) < 2:
        return np.zeros((0, 0), np.float16)
    deviations = np.concatenate([_deviations(exemplars) for exemplars in some])
    _, lengths, directions = np.linalg.svd(deviations, full_matrices=False)
    within = lengths**2 / len(deviations)
    centres = np.stack([exemplars.mean(axis=0) for exemplars in some])
    crops = len(deviations) / len(some)
    # Of what the means of tracks differ by, a part is due to their crops.
    people = float(centres.var(axis=0).sum() - within.sum() / crops)
    person = max(people, _LEAST) / deviations.shape[1]
    within *= len(some) / (len(some) + _TRUST_TRACKS)
    loss = 1 - np.sqrt(person / (within + person))
    found = np.sqrt(loss)[:, None] * directions
    return np.asarray(found[:_DIRECTIONS], np.float16)


def without_variation(vectors: Vector, variation: NDArray[np.float16]) -> Vector:
    """``(D,)`` or ``(N, D)`` vectors with the directions of ``variation`` attenuated."""
    if not len(variation):
        return vectors
    directions = variation.astype(np.float32)
    return np.asarray(vectors - (vectors @ directions.T) @ directions, np.float32)


def _deviations(exemplars: Vector) -> Vector:
    """From their mean, at the variance of the crops rather than that of the sample."""
    count = len(exemplars)
    return np.asarray((exemplars - exemplars.mean(axis=0)) * np.sqrt(count / (count - 1)))
