"""Whether decisions of a confidence of 0.9 are right nine times out of ten."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

_BINS = 10


@dataclass(frozen=True, slots=True)
class JudgedTrack:
    """The last decision on a track that showed ``person`` for ``seconds``."""

    person: int
    identity: int
    seconds: float
    confidence: float
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Tenth:
    """Decisions of about one confidence: their ``share`` of all, mean ``confidence``, and the share
    that is ``right``."""

    share: float
    confidence: float
    right: float


def reliability(judged: Sequence[JudgedTrack]) -> dict[str, float]:
    """``ece``: by how much confidence and share of right ones differ, on average over tenths.

    (Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015.) A track
    is right when its id is the one that its person has for longest, one id for each person.
    """
    right = np.array(_right(judged), float)
    confirmed = np.array([one.confirmed for one in judged], bool)
    off = [rows.share * abs(rows.right - rows.confidence) for rows in curve(judged)]
    return {
        "ece": float(np.sum(off)),
        "confirmed": float(confirmed.mean()) if len(judged) else 0.0,
        "confirmed_right": float(right[confirmed].mean()) if confirmed.any() else 1.0,
        "probable_right": float(right[~confirmed].mean()) if (~confirmed).any() else 1.0,
    }


def curve(judged: Sequence[JudgedTrack]) -> list[Tenth]:
    """The reliability curve: the tenths of confidence in which there are decisions."""
    right = np.array(_right(judged), float)
    confidence = np.array([one.confidence for one in judged])
    tenth = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        Tenth(
            float((tenth == n).mean()),
            float(confidence[tenth == n].mean()),
            float(right[tenth == n].mean()),
        )
        for n in np.unique(tenth)
    ]


def _right(judged: Sequence[JudgedTrack]) -> list[bool]:
    people = {person: n for n, person in enumerate(sorted({one.person for one in judged}))}
    ids = {identity: n for n, identity in enumerate(sorted({one.identity for one in judged}))}
    together = np.zeros((len(people), len(ids)))
    for one in judged:
        together[people[one.person], ids[one.identity]] += one.seconds
    matched = set(zip(*linear_sum_assignment(together, maximize=True), strict=True))
    return [(people[one.person], ids[one.identity]) in matched for one in judged]
