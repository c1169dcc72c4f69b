"""Evidence from embeddings: do two sets of exemplars show one person?

A set is taken as a draw from a model of two covariances (Prince and Elder, Probabilistic linear
discriminant analysis, 2007, with one variance for every direction): a person, what a visit adds to
them, and what a crop adds to that. Many crops say more than one, and several visits more than one
long one. What all people of a site have in common is taken out before anything is compared, and
how far two people's cosines stray there is held against what was expected: adaptive normalisation
of scores, as in speaker recognition (Matejka et al., Analysis of score normalization, 2017), with
the people of the site as the cohort.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

# As many people of the site weigh as much as what was known before it.
_TRUST_PEOPLE = 8.0
# ... and as many pairs who are one person.
_TRUST_LINKS = 12.0
# Somebody is at least so many standard deviations more like another than two people are.
_LEAST_DEVIATIONS = 1.5
# People whose cosines are looked at to see how far they stray: the last ones.
_COHORT = 128
_LEAST_WEIGHT = 1e-3
_FIRST_ROWS = 64
# Of a normal distribution, from the distance between the first tenth and the middle.
_TENTH = 1.2816


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the cosines of an embedder are worth; it belongs to its weights.

    The log-odds of one person, if as likely as not before, are ``slope * (cosine - midpoint)`` for
    two visits seen by very many crops each, where what people have in common is taken out.
    ``common`` is the mean cosine of two people before that, ``spread`` the standard deviation after
    it. Of the variance of a visit, ``visit`` is the part that is not the person's; every crop adds
    ``crop`` to it.
    """

    slope: float
    midpoint: float
    common: float
    spread: float
    visit: float
    crop: float


class Appearance(NamedTuple):
    """How somebody looks: ``vector`` is ``(D,)``, a unit vector without what all people have in
    common; ``precision`` is one over the variance of it that is not the person's."""

    vector: Vector
    precision: float


class Population:
    """What is known of how people look on this site.

    ``people`` have been learnt from; ``mean`` ``(D,)`` is what to take out, of what a camera of
    ``means`` saw the mean there. ``epoch`` counts the
    times that something was learnt: looks of two epochs must not be compared.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.epoch = 0
        self.people = 0
        self.mean = np.zeros(0, np.float32)
        self.left = calibration.common
        self.spread = calibration.spread
        self.midpoint = calibration.midpoint
        self.means: dict[str, NDArray[np.float16]] = {}
        self._part = 0.0

    def learn(self, directions: Sequence[Vector]) -> None:
        """Take how everybody looks who is known now: unit vectors ``(D,)``, one a person."""
        self.epoch += 1
        self.people = len(directions)
        self.means = {}
        if not directions:
            self.mean = np.zeros(0, np.float32)
            self.left, self.spread = self.calibration.common, self.calibration.spread
            self.midpoint = self.calibration.midpoint
            return
        known = np.stack(directions)
        common = self._common(known)
        # What is not surely in common is left in (James and Stein, 1961).
        part = self._part = self.people / (self.people + (1 - common) / max(common, 1e-3))
        self.mean = np.asarray(part * known.mean(axis=0), np.float32)
        left = (1 - part) ** 2 * common
        self.left = left / (1 - common + left)
        self.spread = self._spread(known[-_COHORT:])

    def learn_cameras(self, directions: Mapping[str, Sequence[Vector]]) -> None:
        """Take how those look whom each camera has seen, after `learn`: its light and background.

        One unit vector ``(D,)`` a person.
        """
        self.means = {}
        if not len(self.mean):
            return
        for camera_id, seen in directions.items():
            own = (np.sum(seen, axis=0) * self._part) + _TRUST_PEOPLE * self.mean
            # Half precision is what a restart remembers.
            self.means[camera_id] = (own / (len(seen) + _TRUST_PEOPLE)).astype(np.float16)

    def learn_midpoint(self, looks: Sequence[Sequence[Appearance]]) -> None:
        """Take how those look whom each camera has seen, without what they have in common.

        Who are most like one another in two cameras are one person as a rule. The midpoint lies
        half way between two people and one, as that of two normal distributions of one width does.
        """
        pairs = [pair for a, b in combinations(looks, 2) for pair in _mutually_most_alike(a, b)]
        cosines = [float(a.vector @ b.vector) for a, b in pairs]
        without = (np.array(cosines) - self.left) / (1 - self.left)
        clear = np.array([self._clear(a.precision) * self._clear(b.precision) for a, b in pairs])
        # Some of the pairs are two people after all.
        half_way = float(np.median(without / clear)) / 2 if pairs else 0.0
        before = self.calibration.midpoint * _TRUST_LINKS
        midpoint = (len(pairs) * half_way + before) / (len(pairs) + _TRUST_LINKS)
        self.midpoint = max(midpoint, _LEAST_DEVIATIONS * self.spread)

    def look(self, direction: Vector, precision: float, camera_id: str = "") -> Appearance:
        """What is left of a unit vector ``(D,)`` that a camera saw."""
        if not len(self.mean):
            return Appearance(direction, precision)
        return Appearance(unit(direction - self.means.get(camera_id, self.mean)), precision)

    def precision(self, qualities: NDArray[np.float32]) -> float:
        """How sure a visit is that so many crops of these qualities show, at least one."""
        weights = np.maximum(qualities, _LEAST_WEIGHT)
        crops = float(weights.sum()) ** 2 / float((weights**2).sum())
        return 1 / (self.calibration.visit + self.calibration.crop / crops)

    def evidence(self, look: Appearance, others: Sequence[Appearance]) -> NDArray[np.float64]:
        """Log-odds ``(N,)`` that ``look`` is the person of each of ``others``, over another."""
        if not others:
            return np.zeros(0)
        cosines = np.stack([other.vector for other in others]) @ look.vector
        clear = np.array([self._clear(other.precision) for other in others])
        return self._worth(cosines, clear * self._clear(look.precision))

    def evidence_in_order(self, looks: Sequence[Appearance], cameras: Sequence[str]) -> float:
        """Log-odds that all of ``looks``, of these cameras, are one person.

        It is the sum of what each says of those before it: of all of them, or of those of its own
        camera where it is more like these, for in one view a person looks the same.
        """
        if len(looks) < 2:
            return 0.0
        vectors = np.stack([look.vector for look in looks])
        precisions = np.array([look.precision for look in looks])
        before = np.tri(len(looks), k=-1)[1:]
        names = np.array(cameras)
        here = before * (names[1:, None] == names)
        said = [self._said_of(vectors, precisions, mask) for mask in (before, here)]
        return float(np.maximum(*said).sum())

    def _said_of(
        self, vectors: Vector, precisions: NDArray[np.float64], before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Log-odds of each but the first, ``(N - 1,)``, with those that its row of ``before`` has;
        -inf with nobody."""
        weights = before * precisions
        total = weights @ vectors
        lengths = np.maximum(np.linalg.norm(total, axis=1), 1e-6)
        cosines = (total * vectors[1:]).sum(axis=1) / lengths
        together = weights.sum(axis=1)
        some = together > 0
        usual = 1 - self.calibration.visit
        clear = 1 / np.sqrt(
            (usual + 1 / np.where(some, together, 1.0)) * (usual + 1 / precisions[1:])
        )
        return np.where(some, self._worth(cosines, clear), -np.inf)

    def memory(self) -> dict[str, Any]:
        """All of it, as numbers and bytes."""
        return {
            "epoch": self.epoch,
            "people": self.people,
            "mean": self.mean.tobytes(),
            "left": self.left,
            "spread": self.spread,
            "midpoint": self.midpoint,
            "means": {camera_id: mean.tobytes() for camera_id, mean in self.means.items()},
        }

    def remember(self, memory: dict[str, Any]) -> None:
        """Take back what `memory` gave."""
        self.epoch, self.people = memory["epoch"], memory["people"]
        self.mean = np.frombuffer(memory["mean"], np.float32)
        self.left, self.spread = memory["left"], memory["spread"]
        self.midpoint = memory["midpoint"]
        means = memory["means"].items()
        self.means = {camera_id: np.frombuffer(mean, np.float16) for camera_id, mean in means}

    def _worth(
        self, cosines: NDArray[np.floating[Any]], clear: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """``clear`` is by how much the cosines of one person are less than at their best."""
        without = (cosines - self.left) / (1 - self.left)
        slope, midpoint = self._line()
        return np.asarray(slope * (without - midpoint * clear), np.float64)

    def _line(self) -> tuple[float, float]:
        """The calibration's, where two people's cosines stray further or less than there.

        The midpoint lies as many deviations above two people, but no further than half way to
        where one person can be; then the log-odds are flatter, as those of two normal distributions
        are that come nearer to one another.
        """
        line = self.calibration
        wider = self.spread / line.spread
        usual = self.midpoint * wider
        half_way = max(self.midpoint, (1 - line.visit) / 2)
        if usual <= half_way:
            return line.slope / wider, usual
        return line.slope / wider * half_way / usual, half_way

    def _clear(self, precision: float) -> float:
        """By how much the cosine to a person is less than it were for endless crops of a visit."""
        return 1 / math.sqrt(1 - self.calibration.visit + 1 / precision)

    def _common(self, known: Vector) -> float:
        """How much of a look all people have in common, here and before."""
        people = len(known)
        before = self.calibration.common
        if people < 2:
            return before
        length = float((known.mean(axis=0) ** 2).sum())
        here = (people * length - 1) / (people - 1)
        return min(max((people * here + _TRUST_PEOPLE * before) / (people + _TRUST_PEOPLE), 0), 0.9)

    def _spread(self, known: Vector) -> float:
        """How far the cosines of two people stray; who is known by two ids does not count."""
        expected = self.calibration.spread
        if len(known) < 3:
            return expected
        looks = known - self.mean
        looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-6)
        cosines = (looks @ looks.T)[np.triu_indices(len(looks), 1)]
        tenth, middle = np.quantile(cosines, [0.1, 0.5])
        here = float(middle - tenth) / _TENTH
        weight = len(known) / (len(known) + _TRUST_PEOPLE)
        return weight * here + (1 - weight) * expected


def _mutually_most_alike(
    a: Sequence[Appearance], b: Sequence[Appearance]
) -> list[tuple[Appearance, Appearance]]:
    """The pairs of which each is most like the other."""
    if not (a and b):
        return []
    cosines = np.stack([look.vector for look in a]) @ np.stack([look.vector for look in b]).T
    there, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    return [(a[row], b[column]) for row, column in enumerate(there) if back[column] == row]


def unit(vector: Vector) -> Vector:
    """``vector`` ``(D,)`` at length 1; one without length stays so."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


def mean_embedding(exemplars: Vector) -> Vector:
    """``(D,)``, the unit vector amid ``(K, D)`` of them, K at least 1."""
    return unit(exemplars.mean(axis=0))


def direction_of(exemplars: Vector, qualities: NDArray[np.float32]) -> Vector:
    """``(D,)``, the unit vector amid ``(K, D)`` of them by their qualities, K at least 1."""
    return unit(np.maximum(qualities, np.float32(_LEAST_WEIGHT)) @ exemplars)


def joined(looks: Sequence[Appearance]) -> Appearance | None:
    """How somebody looks who was seen as all of these; None for none."""
    if not looks:
        return None
    if len(looks) == 1:
        return looks[0]
    precisions = np.array([look.precision for look in looks], np.float32)
    total = precisions @ np.stack([look.vector for look in looks])
    length = max(float(np.linalg.norm(total)), 1e-6)
    return Appearance(np.asarray(total / length, np.float32), float(precisions.sum()))


class NearestEmbeddings:
    """The looks of people by their global id. Nothing is computed before it is asked for."""

    def __init__(self) -> None:
        self._changed: dict[int, NDArray[np.float32]] = {}
        self._row: dict[int, int] = {}
        self._names: list[int] = []
        self._looks = np.zeros((0, 0), np.float32)

    def put(self, name: int, exemplars: NDArray[np.float32]) -> None:
        """``(K, D)`` exemplars in place of those known by this name."""
        if len(exemplars):
            self._changed[name] = exemplars

    def drop(self, name: int) -> None:
        """Leave out what may be known by this name."""
        self._changed.pop(name, None)
        row = self._row.pop(name, None)
        if row is None:
            return
        last = self._names.pop()
        if last != name:
            self._names[row], self._row[last] = last, row
            self._looks[row] = self._looks[len(self._names)]

    def most(self, exemplars: NDArray[np.float32], count: int) -> Iterable[int]:
        """The names of the ``count`` that are most like ``(K, D)`` exemplars; none for none."""
        self._take_changed()
        if not len(exemplars) or len(self._names) <= count:
            return self._names if len(exemplars) else ()
        cosines = self._looks[: len(self._names)] @ mean_embedding(exemplars)
        return [self._names[row] for row in np.argpartition(-cosines, count)[:count]]

    def _take_changed(self) -> None:
        for name, exemplars in self._changed.items():
            row = self._row.setdefault(name, len(self._names))
            if row == len(self._names):
                self._names.append(name)
            if row == len(self._looks):
                more = np.zeros((max(2 * row, _FIRST_ROWS), exemplars.shape[1]), np.float32)
                more[:row] = self._looks if row else more[:0]
                self._looks = more
            self._looks[row] = mean_embedding(exemplars)
        self._changed.clear()
