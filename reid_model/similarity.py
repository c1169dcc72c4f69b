"""What the cosine of two embeddings is worth as evidence of one person: log-odds on a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from reid_model.data.reid_set import ReidImage

# So many pairs of two people say all there is to say.
_STRANGERS = 1_000_000
_BLOCK = 512
#: So much more alike people are before cameras that the training did not see. On PETS 2009 the bare
#: fit links strangers; 0.015 mends half of that, and from 0.03 to 0.05 nothing changes.
_ELSEWHERE = 0.03


@dataclass(frozen=True, slots=True)
class SimilarityLine:
    """Log-odds ``slope * (cosine - midpoint)`` of one person, if as likely as not before."""

    slope: float
    midpoint: float


@dataclass(frozen=True, slots=True)
class SimilarityFit:
    """Within a camera and between two; ``strangers`` is the mean cosine of two people between two.

    None where no person was seen so.
    """

    same_camera: SimilarityLine | None
    other_cameras: SimilarityLine | None
    strangers: float | None


class _Pairs(NamedTuple):
    """Cosines of pictures of one person ``(n,)``, and of two ``(m,)``."""

    same: NDArray[np.float32]
    strangers: NDArray[np.float32]


def fit_similarity(vectors: NDArray[np.float32], images: Sequence[ReidImage]) -> SimilarityFit:
    """Fit the lines on unit vectors ``(N, D)`` of ``images``, on pairs of them within a folder.

    The midpoints are raised, for the network will work before other cameras than it was fitted on.
    Pairs of two folders are left out: pictures of two data sets are told apart too easily. Pairs
    of one person are taken all; of those of two people, where they are millions, every so many.
    """
    one_camera, other_cameras = _pairs(vectors, images)
    strangers = other_cameras.strangers
    return SimilarityFit(
        same_camera=_line(one_camera),
        other_cameras=_line(other_cameras),
        strangers=round(float(strangers.mean()), 3) if len(strangers) else None,
    )


def _pairs(vectors: NDArray[np.float32], images: Sequence[ReidImage]) -> tuple[_Pairs, _Pairs]:
    """The cosines of pairs within a camera, and between two, a block of rows after the other."""
    identities = np.array([image.identity for image in images])
    cameras = np.array([image.camera for image in images])
    folders = np.unique([str(image.path.parent) for image in images], return_inverse=True)[1]
    every = max(1, len(images) * (len(images) - 1) // 2 // _STRANGERS)
    found = [[np.zeros(0, np.float32)] for _ in range(4)]
    for start in range(0, len(images), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cosines = vectors[rows] @ vectors[start:].T
        pairs = np.triu(folders[rows, None] == folders[start:], 1)
        one_person = identities[rows, None] == identities[start:]
        one_camera = cameras[rows, None] == cameras[start:]
        found[0].append(cosines[pairs & one_camera & one_person])
        found[1].append(cosines[pairs & one_camera & ~one_person][::every])
        found[2].append(cosines[pairs & ~one_camera & one_person])
        found[3].append(cosines[pairs & ~one_camera & ~one_person][::every])
    here_same, here_strangers, same, strangers = (np.concatenate(some) for some in found)
    return _Pairs(here_same, here_strangers), _Pairs(same, strangers)


def _line(pairs: _Pairs) -> SimilarityLine | None:
    if not (len(pairs.same) and len(pairs.strangers)):
        return None
    line = fit_line(pairs.same, pairs.strangers)
    return SimilarityLine(line.slope, round(line.midpoint + _ELSEWHERE, 3))


def fit_line(same: NDArray[np.float32], strangers: NDArray[np.float32]) -> SimilarityLine:
    """Logistic regression on cosines of one person ``(n,)`` and of two ``(m,)``, both weighing the
    same in all.
    """

    def loss(line: NDArray[np.float64]) -> float:
        slope, midpoint = line
        missed = np.logaddexp(0, -slope * (same - midpoint)).mean()
        mistaken = np.logaddexp(0, slope * (strangers - midpoint)).mean()
        return float(missed + mistaken)

    slope, midpoint = minimize(loss, [20.0, 0.5], method="Nelder-Mead").x
    return SimilarityLine(round(float(slope), 1), round(float(midpoint), 3))
