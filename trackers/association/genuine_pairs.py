"""How similar one person is in two cameras, from people whose identities are unknown.

Mutual nearest neighbours of two cameras are the same person where most people pass both; on a large
site few do, and most such pairs are only the most similar of many impostors. So their cosines are a
mixture: of genuine pairs, and of the largest of as many impostor cosines as there were to choose
from. The two are told apart by expectation-maximisation (Dempster, Laird and Rubin, 1977).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

_ROUNDS = 20

Floats = NDArray[np.float64]


class NearestPair(NamedTuple):
    """Mutual nearest neighbours: their ``cosine``, impostors being 0 in the mean; the factor by
    which few crops lower it if they are one person; and how many pairs it was the largest of."""

    cosine: float
    attenuation: float
    choices: int


def genuine_mean(pairs: Sequence[NearestPair], spread: float, before: float, trust: float) -> float:
    """The mean cosine of one person in two cameras, with very many crops.

    ``spread`` is the standard deviation of the cosines of impostors, and of one person. ``before``
    is the expected mean; it weighs as much as ``trust`` pairs that are certainly genuine.
    """
    if not pairs:
        return before
    columns = zip(*pairs, strict=True)
    cosine, attenuation, choices = (np.array(column, np.float64) for column in columns)
    impostor = _log_largest(cosine / spread, choices)
    mean, share = before, 0.5
    for _ in range(_ROUNDS):
        genuine = -(((cosine - mean * attenuation) / spread) ** 2) / 2
        odds = math.log(share / (1 - share)) + genuine - impostor
        certain = np.exp(-np.logaddexp(0.0, -odds))
        share = (float(certain.sum()) + 1) / (len(pairs) + 2)
        agreed = float((certain * attenuation * cosine).sum()) + trust * before
        mean = agreed / (float((certain * attenuation**2).sum()) + trust)
    return mean


def _log_largest(deviations: Floats, choices: Floats) -> Floats:
    """The log-density of the largest of ``choices`` normal values, over that of one at its mean."""
    return np.asarray(
        np.log(choices) - deviations**2 / 2 + (choices - 1) * log_ndtr(deviations), np.float64
    )
