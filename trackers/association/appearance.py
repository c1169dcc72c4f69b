"""Evidence from embeddings: do two sets of exemplars show one person?

A set is modelled as a draw from a two-covariance model (Prince and Elder, Probabilistic linear
discriminant analysis, 2007, with one variance for every direction): a person, plus the variation of
a visit, plus that of a crop. Many crops are stronger evidence than one, and several visits than one
long one. The mean of all people of the site is removed before anything is compared, and the spread
of the cosines of impostor pairs there is compared with the expected one: adaptive score
normalisation, as in speaker recognition (Matejka et al., Analysis of score normalization, 2017),
with the people of the site as the cohort.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from trackers.association.genuine_pairs import NearestPair, genuine_mean
from trackers.association.variation import within_variation, without_variation
from trackers.tracklet import GROUND, Tracklet

Vector = NDArray[np.float32]

# This many people of the site weigh as much as the calibration,
_TRUST_PEOPLE = 8.0
# and this many pairs of the same person,
_TRUST_LINKS = 12.0
# or this part of them where it was not fitted to the network.
_TRUST_UNFITTED = 0.25
# The midpoint is at least this many standard deviations above impostor pairs.
_LEAST_DEVIATIONS = 1.0
# How much more similar genuine pairs are within one camera; the midpoint moves with them.
_WITHIN = 1.3
# The last people, from whom the spread of cosines is estimated.
_COHORT = 128
_LEAST_WEIGHT = 1e-3
# Standard deviations between the first decile and the median of a normal distribution.
_TENTH = 1.2816


@dataclass(frozen=True, slots=True)
class Calibration:
    """Score calibration of the cosines of an embedder; it belongs to its weights.

    The log-odds of the same person, at even prior odds, are ``slope * (cosine - midpoint)`` for two
    visits with very many crops each, after the mean of all people was removed. ``common`` is the
    mean cosine of impostor pairs before that, ``spread`` their standard deviation after it.
    ``visit`` is the share of a visit's variance that is not due to the person; a single crop adds
    ``crop`` to it. ``fitted`` is False for that of an average network, in place of an unknown one:
    then the people of the site count more.
    """

    slope: float
    midpoint: float
    common: float
    spread: float
    visit: float
    crop: float
    fitted: bool = True


class Appearance(NamedTuple):
    """``vector`` is ``(D,)``, a unit vector after the mean of all people was removed; ``precision``
    is the inverse of the part of its variance that is not due to the person."""

    vector: Vector
    precision: float


class Population:
    """The distribution of appearance among the people of a site.

    ``people`` is the number of people it was learned from, ``mean`` ``(D,)`` the mean to remove;
    cameras in ``means`` have their own. ``variation`` ``(K, D)`` is as of `within_variation`.
    ``epoch`` counts the updates: appearances of two epochs must not be compared.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.epoch = 0
        self.people = 0
        self.mean = np.zeros(0, np.float32)
        self.left = calibration.common
        self.spread = calibration.spread
        self.midpoint = calibration.midpoint
        self.means: dict[str, Vector] = {}
        self.variation = np.zeros((0, 0), np.float16)
        self._part = 0.0
        trust = 1.0 if calibration.fitted else _TRUST_UNFITTED
        # As long as the tracklets are known; the appearances are of this epoch.
        self._directions: WeakKeyDictionary[Tracklet, Vector] = WeakKeyDictionary()
        self._of_tracklets: WeakKeyDictionary[Tracklet, Appearance] = WeakKeyDictionary()
        self._trust_people, self._trust_links = trust * _TRUST_PEOPLE, trust * _TRUST_LINKS

    def learn_variation(self, sets: Sequence[Vector]) -> None:
        """Learn what changes from crop to crop of one person, before `learn`.

        ``sets`` are the exemplars ``(K, D)`` of tracks. A network that was calibrated is taken to
        be free of it.
        """
        if not self.calibration.fitted:
            self.variation = within_variation(sets)

    def learn(self, directions: Sequence[Vector]) -> None:
        """Learn from all known people: unit vectors ``(D,)``, one a person."""
        self.epoch += 1
        self.people = len(directions)
        self.means = {}
        self._of_tracklets.clear()
        if not directions:
            self.mean = np.zeros(0, np.float32)
            self.left, self.spread = self.calibration.common, self.calibration.spread
            self.midpoint = self.calibration.midpoint
            return
        known = np.stack(directions)
        common = self._common(known)
        # The mean is shrunk by its uncertainty (James and Stein, 1961).
        part = self._part = self.people / (self.people + (1 - common) / max(common, 1e-3))
        self.mean = np.asarray(part * known.mean(axis=0), np.float32)
        left = (1 - part) ** 2 * common
        self.left = left / (1 - common + left)
        self.spread = self._spread(known[-_COHORT:])
        self.midpoint = self._expected_midpoint()

    def learn_cameras(self, directions: Mapping[str, Sequence[Vector]]) -> None:
        """Learn the mean of each camera (its light and background), after `learn`.

        One unit vector ``(D,)`` a person.
        """
        self.means = {}
        self._of_tracklets.clear()
        if not len(self.mean):
            return
        for camera_id, seen in directions.items():
            own = (np.sum(seen, axis=0) * self._part) + self._trust_people * self.mean
            mean = own / (len(seen) + self._trust_people)
            # Of half precision, as it is stored for a restart.
            self.means[camera_id] = mean.astype(np.float16).astype(np.float32)

    def learn_midpoint(self, appearances: Sequence[Sequence[Appearance]]) -> None:
        """Learn the midpoint from the appearances in each camera, with the means removed.

        The midpoint lies half way from impostor to genuine pairs.
        """
        pairs = [pair for a, b in combinations(appearances, 2) for pair in self._nearest(a, b)]
        mean = genuine_mean(pairs, self.spread, 2 * self._expected_midpoint(), self._trust_links)
        self.midpoint = max(mean / 2, _LEAST_DEVIATIONS * self.spread)

    def _nearest(self, a: Sequence[Appearance], b: Sequence[Appearance]) -> list[NearestPair]:
        """The mutual nearest neighbours of two cameras."""
        choices = len(a) + len(b) - 1
        return [
            NearestPair(
                (float(one.vector @ other.vector) - self.left) / (1 - self.left),
                self._attenuation(one.precision) * self._attenuation(other.precision),
                choices,
            )
            for one, other in _mutual_nearest(a, b)
        ]

    def of(self, tracklet: Tracklet) -> Appearance | None:
        """The appearance of a tracklet; None without exemplars."""
        if not len(tracklet.exemplars):
            return None
        found = self._of_tracklets.get(tracklet)
        if found is None:
            precision = self.precision(tracklet.qualities)
            found = self.appearance(self.direction(tracklet), precision, tracklet.camera_id)
            self._of_tracklets[tracklet] = found
        return found

    def direction(self, tracklet: Tracklet) -> Vector:
        """The mean direction of a tracklet with exemplars, a unit vector ``(D,)``."""
        found = self._directions.get(tracklet)
        if found is None:
            found = direction_of(tracklet.exemplars, tracklet.qualities)
            self._directions[tracklet] = found
        return found

    def appearance(self, direction: Vector, precision: float, camera_id: str = "") -> Appearance:
        """The appearance of a unit vector ``(D,)`` of a camera: its mean is removed."""
        if not len(self.mean):
            return Appearance(direction, precision)
        vector = unit(direction - self.means.get(camera_id, self.mean))
        if len(self.variation):
            vector = unit(without_variation(vector, self.variation))
        return Appearance(vector, precision)

    def precision(self, qualities: NDArray[np.float32]) -> float:
        """The precision of a visit with crops of these qualities, at least one."""
        # Plain floats, which take less time for so few.
        weights = [max(quality, _LEAST_WEIGHT) for quality in qualities.tolist()]
        crops: float = sum(weights) ** 2 / sum(weight * weight for weight in weights)
        return 1 / (self.calibration.visit + self.calibration.crop / crops)

    def evidence(
        self,
        appearance: Appearance,
        others: Sequence[Appearance],
        same_camera: Sequence[bool] | None = None,
    ) -> NDArray[np.float64]:
        """Log-odds ``(N,)`` that ``appearance`` is the same person as each of ``others``.

        ``same_camera`` ``(N,)`` is True for those that only its own camera has seen.
        """
        if not others:
            return np.zeros(0)
        precisions = np.array([other.precision for other in others])
        within = np.array(same_camera or [False] * len(others), np.bool_)
        return self.evidence_of_rows(appearance, _rows(others), precisions, within)

    def evidence_of_rows(
        self,
        appearance: Appearance,
        vectors: Vector,
        precisions: NDArray[np.float64],
        same_camera: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """As `evidence`, with the others as arrays: vectors ``(N, D)`` and ``(N,)``."""
        attenuation = 1 / np.sqrt(1 - self.calibration.visit + 1 / precisions)
        return self._log_odds(
            vectors @ appearance.vector,
            attenuation * self._attenuation(appearance.precision),
            same_camera,
        )

    def evidence_in_order(self, appearances: Sequence[Appearance], cameras: Sequence[str]) -> float:
        """Log-odds that all of ``appearances``, of these cameras, are one person.

        The sum over each of them of its log-odds with all before it, or with those of its own
        camera where these are higher: in one view the appearance of a person hardly changes. That
        is also why more is asked of those that only its own camera saw.
        """
        if len(appearances) < 2:
            return 0.0
        vectors = _rows(appearances)
        precisions = np.array([appearance.precision for appearance in appearances])
        before = _before(len(appearances))
        names = np.array(cameras)
        same_camera = before * (names[1:, None] == names)
        # Walks on the ground are made of what several cameras saw.
        one_view = names[1:] != GROUND
        only_here = one_view & (same_camera.sum(axis=1) == before.sum(axis=1))
        overall = self._evidence_before(vectors, precisions, before, only_here)
        if not same_camera.any():
            return float(overall.sum())
        here = self._evidence_before(vectors, precisions, same_camera, one_view)
        return float(np.maximum(overall, here).sum())

    def _evidence_before(
        self,
        vectors: Vector,
        precisions: NDArray[np.float64],
        before: NDArray[np.float64],
        within: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Log-odds ``(N - 1,)`` of each but the first with those in its row of ``before``; -inf
        with none."""
        weights = before * precisions
        total = weights @ vectors
        # As `numpy.linalg.norm`, which takes longer for so few.
        lengths = np.maximum(np.sqrt((total * total).sum(axis=1)), 1e-6)
        cosines = (total * vectors[1:]).sum(axis=1) / lengths
        together = weights.sum(axis=1)
        some = together > 0
        usual = 1 - self.calibration.visit
        attenuation = 1 / np.sqrt(
            (usual + 1 / np.where(some, together, 1.0)) * (usual + 1 / precisions[1:])
        )
        return np.where(some, self._log_odds(cosines, attenuation, within), -np.inf)

    def memory(self) -> dict[str, Any]:
        """Everything that was learned, as numbers and bytes."""
        return {
            "epoch": self.epoch,
            "people": self.people,
            "mean": self.mean.tobytes(),
            "left": self.left,
            "spread": self.spread,
            "midpoint": self.midpoint,
            "means": {name: mean.astype(np.float16).tobytes() for name, mean in self.means.items()},
            "variation": self.variation.tobytes(),
        }

    def remember(self, memory: dict[str, Any]) -> None:
        """Restore what `memory` returned."""
        self.epoch, self.people = memory["epoch"], memory["people"]
        self.mean = np.frombuffer(memory["mean"], np.float32)
        self.left, self.spread = memory["left"], memory["spread"]
        self.midpoint = memory["midpoint"]
        means = memory["means"].items()
        self.means = {
            camera_id: np.frombuffer(mean, np.float16).astype(np.float32)
            for camera_id, mean in means
        }
        variation = np.frombuffer(memory["variation"], np.float16)
        self.variation = variation.reshape(-1, len(self.mean)) if len(variation) else variation

    def _log_odds(
        self,
        cosines: NDArray[np.floating[Any]],
        attenuation: NDArray[np.float64],
        within: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """``attenuation`` is the factor by which few crops lower the cosines of one person.

        ``within`` is True for pairs within one camera.
        """
        without = (cosines - self.left) / (1 - self.left)
        slope, between = self._line()
        midpoint = between * np.where(within, _WITHIN, 1.0)
        return np.asarray(slope * (without - midpoint * attenuation), np.float64)

    def _line(self) -> tuple[float, float]:
        """Slope and midpoint of the calibration, adapted to the people here.

        The slope is lower where impostor pairs stray further, or where genuine pairs are nearer to
        them, as for two normal distributions of one width.
        """
        line = self.calibration
        wider = self.spread / line.spread
        nearer = self.midpoint / (line.midpoint * wider)
        return line.slope / wider * min(nearer, 1.0), self.midpoint

    def _expected_midpoint(self) -> float:
        """As many deviations above impostor pairs as in the calibration, but no further than half
        way to where genuine pairs can be."""
        line = self.calibration
        half_way = max(line.midpoint, (1 - line.visit) / 2)
        return min(line.midpoint * self.spread / line.spread, half_way)

    def _attenuation(self, precision: float) -> float:
        """The factor by which few crops lower a cosine, against very many crops of a visit."""
        return 1 / math.sqrt(1 - self.calibration.visit + 1 / precision)

    def _common(self, known: Vector) -> float:
        """The mean cosine of impostor pairs, here and in the calibration."""
        people = len(known)
        before = self.calibration.common
        if people < 2:
            return before
        length = float((known.mean(axis=0) ** 2).sum())
        here = (people * length - 1) / (people - 1)
        trust = self._trust_people
        return min(max((people * here + trust * before) / (people + trust), 0), 0.9)

    def _spread(self, known: Vector) -> float:
        """The standard deviation of the cosines of impostor pairs; robust to split ids."""
        expected = self.calibration.spread
        if len(known) < 3:
            return expected
        appearances = without_variation(known - self.mean, self.variation)
        appearances /= np.maximum(np.linalg.norm(appearances, axis=1, keepdims=True), 1e-6)
        cosines = (appearances @ appearances.T)[np.triu_indices(len(appearances), 1)]
        tenth, middle = np.quantile(cosines, [0.1, 0.5])
        here = float(middle - tenth) / _TENTH
        weight = len(known) / (len(known) + self._trust_people)
        return weight * here + (1 - weight) * expected


@cache
def _before(count: int) -> NDArray[np.float64]:
    """``(count - 1, count)``, 1 for those before each but the first, else 0; do not change it."""
    return np.tri(count, k=-1)[1:]


def _mutual_nearest(
    a: Sequence[Appearance], b: Sequence[Appearance]
) -> list[tuple[Appearance, Appearance]]:
    """The pairs that are mutual nearest neighbours."""
    if not (a and b):
        return []
    cosines = _rows(a) @ _rows(b).T
    there, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    return [(a[row], b[column]) for row, column in enumerate(there) if back[column] == row]


def _rows(appearances: Sequence[Appearance]) -> Vector:
    """``(N, D)``, the vectors of at least one."""
    # As `numpy.stack`, which takes several times as long for so few.
    vectors = [appearance.vector for appearance in appearances]
    return np.concatenate(vectors).reshape(len(vectors), -1)


def unit(vector: Vector) -> Vector:
    """``vector`` ``(D,)`` at length 1; one without length stays so."""
    # As `numpy.linalg.norm`, which takes thrice as long for so few numbers.
    return np.asarray(vector / max(math.sqrt(vector.dot(vector)), 1e-6), np.float32)


def mean_embedding(exemplars: Vector) -> Vector:
    """``(D,)``, the mean direction of ``(K, D)`` unit vectors, K at least 1."""
    # As `mean`, which takes several times as long for so few.
    return unit(np.add.reduce(exemplars, axis=0) / np.float32(len(exemplars)))


def direction_of(exemplars: Vector, qualities: NDArray[np.float32]) -> Vector:
    """``(D,)``, the mean direction of ``(K, D)`` unit vectors by quality, K at least 1."""
    return unit(np.maximum(qualities, np.float32(_LEAST_WEIGHT)) @ exemplars)


def joined(appearances: Sequence[Appearance]) -> Appearance | None:
    """The appearance of a person seen as all of these; None for none."""
    if not appearances:
        return None
    if len(appearances) == 1:
        return appearances[0]
    precisions = np.array([appearance.precision for appearance in appearances], np.float32)
    total = precisions @ _rows(appearances)
    # As `numpy.linalg.norm` and `sum`, which take longer.
    length = max(float(np.sqrt(total.dot(total))), 1e-6)
    return Appearance(np.asarray(total / length, np.float32), float(np.add.reduce(precisions)))
