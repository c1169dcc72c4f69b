"""What two tracklets say of being one person, for judging whole sets of them.

The same ways, places and looks as when the association decides second by second, but of pairs:
who came after whom, who cannot be whom, and how alike the two look.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import (
    AMONG_MANY,
    Strangers,
    appearance_evidence,
)
from trackers.association.decision import Rules, log_odds
from trackers.association.motion import comparable, exclusive, motion_evidence
from trackers.association.topology import Topology, in_two_places
from trackers.tracklet import Tracklet
from trackers.tracklet import TrackletKey as Key

# Where it is known who can come, somebody who was seen before is this much likelier than somebody
# new: a site has few doors.
_SEEN_BEFORE = 3.0


class Evidence:
    """What was said of two closed tracklets' looks is kept; `forget` those that are of no more use.

    Call `begin` before each use: what was learnt since counts.
    """

    def __init__(self, rules: Rules, topology: Topology) -> None:
        self._rules = rules
        self._topology = topology
        self._shift = 0.0
        self._new = 0.0
        self._said: dict[Key, dict[Key, float]] = {}
        self._ways: dict[tuple[Key, Key], float] = {}
        self._places: dict[tuple[Key, Key], float] = {}
        self._least = log_odds(rules.min_confidence)

    def begin(self, strangers: Strangers, people: int) -> None:
        """``people`` is how many are known on the site."""
        # Rounded, so that it hardly ever changes.
        shift = round(strangers.shift(self._rules.calibration.strangers), 2)
        if shift != self._shift:
            self._said.clear()
        self._shift = shift
        self._new = -math.log(1 + people)
        self._ways.clear()
        self._places.clear()

    def forget(self, key: Key) -> None:
        """Leave a tracklet out."""
        for other in self._said.pop(key, ()):
            self._said[other].pop(key, None)

    def way(self, earlier: Tracklet, later: Tracklet) -> float:
        """Log-odds that who was ``earlier`` was next seen as ``later``; -inf when impossible.

        One that has faded says nothing.
        """
        pair = earlier.key, later.key
        found = self._ways.get(pair)
        if found is None:
            found = self._ways[pair] = self._way(earlier, later)
        return found

    def _way(self, earlier: Tracklet, later: Tracklet) -> float:
        if not len(earlier.path) or not len(later.path):
            return 0.0
        gap_s = later.start - earlier.end
        way = self._topology.evidence(earlier.camera_id, later.camera_id, gap_s)
        known_ways = self._topology.knows(later.camera_id)
        return way + (_SEEN_BEFORE if known_ways else self._new) - self._least

    def likeliest(self, later: Tracklet, earlier: Sequence[Tracklet], most: int) -> list[Key]:
        """The ``most`` of ``earlier`` who, by way and looks, were next seen as ``later``."""
        # There are many: none of this is kept.
        ways = [(other, way) for other in earlier if (way := self._way(other, later)) > -math.inf]
        if len(ways) <= most:
            return [other.key for other, _ in ways]
        cosines = mutual_similarities(later, [other for other, _ in ways])
        log_odds = {
            other.key: way + self._worth(later, other, cosine)
            for (other, way), cosine in zip(ways, cosines, strict=True)
        }
        return sorted(log_odds, key=lambda key: (-log_odds[key], key))[:most]

    def place(self, earlier: Tracklet, later: Tracklet) -> float:
        """Log-odds that who was ``earlier`` was seen there as ``later``; -inf when impossible.

        Both are of one camera, or on the ground.
        """
        pair = earlier.key, later.key
        found = self._places.get(pair)
        if found is None:
            found = self._places[pair] = motion_evidence(earlier, later, self._rules.limits)
        return found

    def possible(self, a: Tracklet, b: Tracklet) -> bool:
        """Whether the two break no hard rule, whoever was seen between them."""
        if a.end < b.start or b.end < a.start:
            # Later in one camera is possible only when the earlier is over.
            return not exclusive(a, b)
        if exclusive(a, b) or in_two_places(a, b, self._topology):
            return False
        return not comparable(a, b) or self.place(a, b) > -math.inf

    def looks(self, tracklet: Tracklet, others: Sequence[Tracklet]) -> float:
        """Log-odds from appearance, summed over ``others``; nothing to see says 0."""
        said = self._said.setdefault(tracklet.key, {})
        missing = [other for other in others if other.key not in said]
        if missing:
            self._say(tracklet, missing, said)
        return sum([said[other.key] for other in others])

    def _say(self, tracklet: Tracklet, others: list[Tracklet], said: dict[Key, float]) -> None:
        key = tracklet.key
        for other, cosine in zip(others, mutual_similarities(tracklet, others), strict=True):
            log_odds = said[other.key] = self._worth(tracklet, other, cosine)
            self._said.setdefault(other.key, {})[key] = log_odds

    def _worth(self, a: Tracklet, b: Tracklet, cosine: float | None) -> float:
        """Log-odds from the cosine of two looks; nothing to see says 0."""
        lines = self._rules.calibration
        line = lines.same_camera if a.camera_id == b.camera_id else lines.other_cameras
        return appearance_evidence(cosine, line, self._shift, AMONG_MANY) or 0.0


def mutual_similarities(tracklet: Tracklet, others: list[Tracklet]) -> list[float | None]:
    """What `similarity` says of ``tracklet`` and each of ``others``, on average of both ways.

    To the last bit the same whichever of the two asks, so that a restart changes nothing.
    """
    found: list[float | None] = [None] * len(others)
    some = [number for number, other in enumerate(others) if len(other.exemplars)]
    if not some or not len(tracklet.exemplars):
        return found
    firsts = np.cumsum([0, *(len(others[number].exemplars) for number in some[:-1])])
    cosines = np.concatenate([_cosines(tracklet, others[number]) for number in some], axis=1)
    rows, weights = len(tracklet.exemplars), np.tile(_weights(tracklet), len(some))
    forth = np.maximum.reduceat(cosines, firsts, axis=1).T.ravel()
    forth_mean = _means(forth, weights, rows * np.arange(len(some)))
    back_weights = np.concatenate([_weights(others[number]) for number in some])
    back_mean = _means(cosines.max(axis=0), back_weights, firsts)
    for number, mean in zip(some, ((forth_mean + back_mean) / 2).tolist(), strict=True):
        found[number] = mean
    return found


def _weights(tracklet: Tracklet) -> NDArray[np.float32]:
    return np.maximum(tracklet.qualities, np.float32(1e-3))


def _means(
    values: NDArray[np.float32], weights: NDArray[np.float32], firsts: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Weighted means of the pieces that begin at ``firsts``."""
    return np.asarray(np.add.reduceat(values * weights, firsts) / np.add.reduceat(weights, firsts))


def _cosines(rows: Tracklet, columns: Tracklet) -> NDArray[np.float32]:
    if rows.key < columns.key:
        return np.asarray(rows.exemplars @ columns.exemplars.T)
    return np.asarray((columns.exemplars @ rows.exemplars.T).T)
