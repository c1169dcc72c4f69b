"""The calibration of a network: the cosine of two sets of crops as evidence of one person.

The model is that of two covariances with one variance in every direction (Prince and Elder, 2007):
what people have in common, a person, a visit, a crop. What is fitted are log-odds on a line, by
logistic regression at the share of right ones among the candidates of a site (Brummer and du Preez,
Application-independent evaluation of speaker detection, 2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

if TYPE_CHECKING:
    # The readers of data sets import PyTorch, which takes seconds.
    from reid_model.data.reid_set import ReidImage

Vectors = NDArray[np.float32]

# A visit has as many crops as a track keeps exemplars.
_CROPS = 8
# One in this many candidates is right.
_CANDIDATES = 30
#: How much more alike people look, in cosines, to cameras that the training did not see.
_ELSEWHERE = 0.03
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class SimilarityFit:
    """Log-odds of one person are ``slope * (cosine - midpoint)``, if as likely as not before, of
    visits with very many crops, after what people have in common was removed.

    ``common`` is the mean cosine of two people before that, ``spread`` the standard deviation after
    it. ``visit`` is the part of a visit that is not the person's, ``crop`` what a crop adds.
    """

    slope: float
    midpoint: float
    common: float
    spread: float
    visit: float
    crop: float


@dataclass(frozen=True, slots=True, eq=False)
class _Visits:
    """Sets of crops, a row each: unit vectors, how many crops, whose, which camera's."""

    vectors: Vectors
    crops: NDArray[np.int64]
    person: NDArray[np.int64]
    camera: NDArray[np.int64]


def fit_similarity(vectors: Vectors, images: Sequence["ReidImage"]) -> SimilarityFit | None:
    """Fit on unit vectors ``(N, D)`` of ``images``; None where nobody was seen by two cameras.

    Folders are other data sets: their people have other things in common, and are not compared.
    """
    folders = np.unique([str(image.path.parent) for image in images], return_inverse=True)[1]
    person = np.array([image.identity for image in images], np.int64)
    camera = np.array([image.camera for image in images], np.int64)
    parts = [np.flatnonzero(folders == folder) for folder in range(folders.max(initial=-1) + 1)]
    return fit_folders([(vectors[rows], person[rows], camera[rows]) for rows in parts])


def fit_folders(
    folders: Sequence[tuple[Vectors, NDArray[np.int64], NDArray[np.int64]]],
) -> SimilarityFit | None:
    """The same of vectors ``(N, D)``, people ``(N,)`` and cameras ``(N,)`` of each folder."""
    kept = [folder for folder in folders if _in_two_cameras(*folder[1:])]
    if not kept:
        return None
    visits = [_visits(*folder) for folder in kept]
    common = float(np.mean([_common(visit) for visit in visits]))
    centred = [_centred(visit) for visit in visits]
    visit, crop = np.mean([_variances(*folder) for folder in kept], axis=0).tolist()
    pairs = [_pairs(one, visit, crop) for one in centred]
    same, others = (np.concatenate([pair[side] for pair in pairs], axis=1) for side in (0, 1))
    slope, midpoint = _line(same, others)
    return SimilarityFit(
        slope=round(slope, 1),
        midpoint=round(midpoint + _ELSEWHERE, 3),
        common=round(max(common, 0.0), 3),
        spread=round(float(others[0].std()), 3),
        visit=round(visit, 3),
        crop=round(crop, 3),
    )


def _in_two_cameras(person: NDArray[np.int64], camera: NDArray[np.int64]) -> bool:
    """Whether some people were seen by two cameras, and there are others."""
    seen = [len(np.unique(camera[person == one])) for one in np.unique(person)]
    return sum(cameras > 1 for cameras in seen) >= _FEWEST


def _visits(vectors: Vectors, person: NDArray[np.int64], camera: NDArray[np.int64]) -> _Visits:
    found = []
    for one, place in np.unique(np.column_stack([person, camera]), axis=0).tolist():
        rows = np.flatnonzero((person == one) & (camera == place))[:_CROPS]
        found.append((_unit(vectors[rows].mean(axis=0)), len(rows), one, place))
    columns = list(zip(*found, strict=True))
    return _Visits(np.stack(columns[0]), *(np.array(c, np.int64) for c in columns[1:]))


def _common(visits: _Visits) -> float:
    cosines = visits.vectors @ visits.vectors.T
    return float(cosines[visits.person[:, None] != visits.person].mean())


def _centred(visits: _Visits) -> _Visits:
    centred = _unit(visits.vectors - visits.vectors.mean(axis=0))
    return _Visits(centred, visits.crops, visits.person, visits.camera)


def _variances(
    vectors: Vectors, person: NDArray[np.int64], camera: NDArray[np.int64]
) -> tuple[float, float]:
    """Of what a visit is, the part that is not the person's; and what a crop adds to it."""
    centred = vectors - vectors.mean(axis=0)
    total = float((centred**2).sum(axis=1).mean())
    here, elsewhere = [], []
    for one in np.unique(person):
        rows = np.flatnonzero(person == one)
        cosines = centred[rows] @ centred[rows].T
        one_camera = camera[rows, None] == camera[rows]
        here.append(cosines[one_camera & ~np.eye(len(rows), dtype=bool)])
        elsewhere.append(cosines[~one_camera])
    between = float(np.concatenate(elsewhere).mean())
    within = np.concatenate(here)
    visit = max(float(within.mean()) if len(within) else total, between, 1e-3)
    return min(max(1 - between / visit, 0.05), 0.95), max(total / visit - 1, 0.0)


def _pairs(
    visits: _Visits, visit: float, crop: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of pairs of one person, and of two: the cosine, and by how much few crops lessen it."""
    clear = 1 / np.sqrt(1 + crop / visits.crops) if len(visits.crops) else np.zeros(0)
    pairs = np.triu(visits.camera[:, None] != visits.camera, 1)
    one = visits.person[:, None] == visits.person
    both = np.stack([visits.vectors @ visits.vectors.T, clear[:, None] * clear])
    return both[:, pairs & one], both[:, pairs & ~one]


def _line(same: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[float, float]:
    share, prior = 1 / (1 + _CANDIDATES), -np.log(_CANDIDATES)

    def loss(line: NDArray[np.float64]) -> float:
        slope, midpoint = line
        right = slope * (same[0] - midpoint * same[1]) + prior
        wrong = slope * (others[0] - midpoint * others[1]) + prior
        missed, mistaken = np.logaddexp(0, -right).mean(), np.logaddexp(0, wrong).mean()
        return float(share * missed + (1 - share) * mistaken)

    slope, midpoint = minimize(loss, [20.0, 0.3], method="Nelder-Mead").x
    return float(slope), float(midpoint)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)
