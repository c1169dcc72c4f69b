"""Whether decisions of a confidence of 0.9 are right nine times out of ten."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

_BINS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """The last decision on a track that showed ``person`` for so many ``seconds``."""

    person: int
    identity: int
    seconds: float
    confidence: float
    confirmed: bool


def reliability(judged: Sequence[Judged]) -> dict[str, float]:
    """``ece``: by how much confidence and share of right ones differ, on average over tenths.

    (Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015.) A track
    is right when its id is the one that its person has for longest, one id for each person.
    """
    right = np.array(_right(judged), float)
    confidence = np.array([one.confidence for one in judged])
    confirmed = np.array([one.confirmed for one in judged], bool)
    tenth = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    off = [
        (tenth == n).mean() * abs(right[tenth == n].mean() - confidence[tenth == n].mean())
        for n in np.unique(tenth)
    ]
    return {
        "ece": float(np.sum(off)),
        "confirmed": float(confirmed.mean()) if len(judged) else 0.0,
        "confirmed_right": float(right[confirmed].mean()) if confirmed.any() else 1.0,
        "probable_right": float(right[~confirmed].mean()) if (~confirmed).any() else 1.0,
    }


def _right(judged: Sequence[Judged]) -> list[bool]:
    people = sorted({one.person for one in judged})
    identities = sorted({one.identity for one in judged})
    together = np.zeros((len(people), len(identities)))
    for one in judged:
        together[people.index(one.person), identities.index(one.identity)] += one.seconds
    rows, columns = linear_sum_assignment(together, maximize=True)
    matched = {people[r]: identities[c] for r, c in zip(rows, columns, strict=True)}
    return [matched.get(one.person) == one.identity for one in judged]
