"""What the cosine of two embeddings is worth as evidence of one person: log-odds on a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from reid_model.data.reid_set import ReidImage


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


def fit_similarity(vectors: NDArray[np.float32], images: Sequence[ReidImage]) -> SimilarityFit:
    """Fit the lines on unit vectors ``(N, D)`` of ``images``, all pairs of them within a folder.

    Pairs of two folders are left out: pictures of two data sets are told apart too easily.
    """
    identities = np.array([image.identity for image in images])
    cameras = np.array([image.camera for image in images])
    folders = np.unique([str(image.path.parent) for image in images], return_inverse=True)[1]
    cosines = vectors @ vectors.T
    pairs = (folders[:, None] == folders) & np.triu(np.ones(cosines.shape, bool), 1)
    one_person = identities[:, None] == identities
    one_camera = cameras[:, None] == cameras

    def line(which: NDArray[np.bool_]) -> SimilarityLine | None:
        same, strangers = cosines[which & one_person], cosines[which & ~one_person]
        return fit_line(same, strangers) if len(same) and len(strangers) else None

    strangers = cosines[pairs & ~one_camera & ~one_person]
    return SimilarityFit(
        same_camera=line(pairs & one_camera),
        other_cameras=line(pairs & ~one_camera),
        strangers=round(float(strangers.mean()), 3) if len(strangers) else None,
    )


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
