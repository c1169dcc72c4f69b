"""How likely a tracklet shows each of some people, for decisions second by second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop, nlargest
from itertools import compress

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trackers.association.appearance import Population
from trackers.association.candidates import Candidates
from trackers.association.decision import Rules
from trackers.association.identity import Identity
from trackers.association.motion import FORGOTTEN_S, overlap_in_time
from trackers.association.people_arrays import KnownPeople
from trackers.association.shared_views import SharedViews
from trackers.association.topology import Topology
from trackers.tracklet import GROUND, Tracklet

# The scores of so few people are computed sooner than their bounds.
_FEW = 64
# Bounds are rounded otherwise than scores.
_ROUNDING = 1e-6


@dataclass(slots=True)
class Scorer:
    """Scores people for tracklets from appearance, transitions and place, by the rules."""

    rules: Rules
    topology: Topology
    candidates: Candidates
    population: Population
    shared_views: SharedViews

    def of(
        self, tracklets: Sequence[Tracklet], identities: Sequence[Identity], most: int
    ) -> tuple[list[Identity], NDArray[np.float64]]:
        """Log-odds ``(R, K)`` that each tracklet shows each of K people, over a new one.

        -inf when it is impossible. The people are, in their order, at least the ``most`` likeliest
        of each tracklet: what cannot be among them is not computed.
        """
        transitions: Sequence[Sequence[float] | None] = [None] * len(tracklets)
        if len(identities) <= _FEW:
            transitions, identities = self._possible(tracklets, identities)
        known = self.candidates.arrays(identities, self.population)
        rows = [
            _Row(self, tracklet, identities, known, found)
            for tracklet, found in zip(tracklets, transitions, strict=True)
        ]
        kept = sorted({column for row in rows for column in row.likeliest(most)})
        scores = np.array([[row.score(column) for column in kept] for row in rows])
        return [identities[column] for column in kept], scores.reshape(len(rows), len(kept))

    def _possible(
        self, tracklets: Sequence[Tracklet], identities: Sequence[Identity]
    ) -> tuple[list[list[float]], list[Identity]]:
        """The people whom one of the tracklets may show by the transitions, and the log-odds of
        these: a list for each tracklet. The appearance of the others need not be known.
        """
        evidence = self.candidates.transition_evidence
        found = [[evidence(tracklet, one) for one in identities] for tracklet in tracklets]
        possible = [max(column) > -math.inf for column in zip(*found, strict=True)]
        if all(possible):
            return found, [*identities]
        return [[*compress(row, possible)] for row in found], [*compress(identities, possible)]

    def place_and_transition(
        self, tracklet: Tracklet, identity: Identity, transition: float | None = None
    ) -> float:
        """The log-odds without appearance; ``transition`` are those of the transition, if known."""
        if transition is None:
            transition = self.candidates.transition_evidence(tracklet, identity)
        if transition == -math.inf:
            return transition
        place = identity.place_evidence(tracklet, self.rules.limits)
        return transition + place + self.shared_views.evidence(tracklet, identity.members.values())

    def bounds(
        self, tracklet: Tracklet, identities: Sequence[Identity], known: KnownPeople
    ) -> NDArray[np.float64]:
        """``(N,)``, as `place_and_transition` or more, but for rounding."""
        found = self.candidates.transition_bounds(tracklet, identities, known)
        earliest = -math.inf if tracklet.ground is not None else tracklet.start - FORGOTTEN_S
        for number in np.flatnonzero((known.last_seen >= earliest) & (found > -np.inf)).tolist():
            found[number] += self.place_bound(tracklet, identities[number])
        return found

    def place_bound(self, tracklet: Tracklet, identity: Identity) -> float:
        """At least the log-odds from place alone."""
        if self.shared_views.may_tell(tracklet, identity.last_seen):
            return math.inf
        return identity.place_bound(tracklet)

    def appearance(self, tracklet: Tracklet, known: KnownPeople) -> NDArray[np.float64]:
        """The log-odds ``(N,)`` from appearance alone; 0 where one of the two is unknown."""
        found = np.zeros(len(known.precision))
        appearance = self.population.of(tracklet)
        seen = known.precision > 0
        if appearance is None or not seen.any():
            return found
        # All without a copy, which is the usual case.
        rows = slice(None) if seen.all() else seen
        # Walks on the ground are made of what several cameras saw.
        here = -2 if tracklet.camera_id == GROUND else self.topology.number(tracklet.camera_id)
        found[rows] = self.population.evidence_of_rows(
            appearance, known.vectors[rows], known.precision[rows], known.only_camera[rows] == here
        )
        return found


class _Row:
    """The scores of one tracklet for ``identities``, each computed when it is needed.

    ``transitions`` are the log-odds of the transitions alone, where they are known.
    """

    def __init__(
        self,
        scorer: Scorer,
        tracklet: Tracklet,
        identities: Sequence[Identity],
        known: KnownPeople,
        transitions: Sequence[float] | None,
    ) -> None:
        self._transitions = transitions
        self._scorer, self._tracklet, self._identities = scorer, tracklet, identities
        self._appearance = scorer.appearance(tracklet, known)
        self._known = known
        self._scores: dict[int, float] = {}

    def score(self, column: int) -> float:
        """The log-odds that the tracklet shows the person of this column."""
        found = self._scores.get(column)
        if found is None:
            transition = None if self._transitions is None else self._transitions[column]
            identity = self._identities[column]
            found = self._scorer.place_and_transition(self._tracklet, identity, transition)
            found += float(self._appearance[column])
            self._scores[column] = found
        return found

    def likeliest(self, most: int) -> list[int]:
        """At least the ``most`` likeliest columns: by their bounds, until no other can be one."""
        bounds = self._bounds()
        found: list[int] = []
        best: list[float] = []
        for column in sorted(range(len(bounds)), key=bounds.__getitem__, reverse=True):
            if len(best) == most and best[0] > bounds[column] + _ROUNDING:
                break
            if bounds[column] == -math.inf:
                break
            found.append(column)
            (heappush if len(best) < most else heappushpop)(best, self.score(column))
        return found

    def _bounds(self) -> list[float]:
        """As the scores or more, but for rounding."""
        scorer, tracklet, appearance = self._scorer, self._tracklet, self._appearance
        if self._transitions is None:
            bounds = appearance + scorer.bounds(tracklet, self._identities, self._known)
            return list(bounds.tolist())
        rows = zip(self._identities, self._transitions, appearance.tolist(), strict=True)
        return [
            # Not the sum: a bound may be infinite.
            transition
            if transition == -math.inf
            else transition + alike + scorer.place_bound(tracklet, identity)
            for identity, transition, alike in rows
        ]


_IMPOSSIBLE = -1e6


def assign(scores: NDArray[np.float64], alone: float) -> list[int | None]:
    """The column assigned to each row, or None when it stays alone.

    ``scores`` is ``(N, M)``, higher is better, -inf is forbidden; ``alone`` is the score of
    staying alone, which a pair must exceed. The sum of scores is the largest possible, and no
    column is assigned twice.
    """
    rows, columns = scores.shape
    if not rows or not columns:
        return [None] * rows
    if rows == 1:
        best = int(scores[0].argmax())
        return [best if scores[0, best] > alone else None]
    # Each row has a column of its own that means alone.
    padded = np.full((rows, columns + rows), _IMPOSSIBLE)
    padded[:, :columns] = np.where(scores > alone, scores, _IMPOSSIBLE)
    padded[np.arange(rows), columns + np.arange(rows)] = alone
    _, columns_of = linear_sum_assignment(padded, maximize=True)
    return [int(column) if column < columns else None for column in columns_of]


def best_other(scores: NDArray[np.float64], row: int, assigned: list[int | None]) -> float:
    """Log-odds of the most likely person that was not assigned to ``row``.

    A person assigned to another row counts by how much this row's score exceeds that row's.
    """
    rivals = np.zeros(scores.shape[1])
    for rival, column in enumerate(assigned):
        if column is not None:
            rivals[column] = scores[rival, column]
    return float((scores[row] - rivals).max(initial=-math.inf))


def likeliest(scores: NDArray[np.float64], columns: int) -> list[int]:
    """The columns ``(M,)`` of the best ``scores`` that are possible at all, in their order."""
    known = scores.tolist()
    best = nlargest(columns, range(len(known)), key=known.__getitem__)
    return sorted(column for column in best if known[column] > -math.inf)


def moments(tracklets: list[Tracklet]) -> list[list[Tracklet]]:
    """Split tracklets of one camera, by start, so that those of a group are there together."""
    groups: list[list[Tracklet]] = []
    for tracklet in tracklets:
        if groups and all(overlap_in_time(tracklet, other) for other in groups[-1]):
            groups[-1].append(tracklet)
        else:
            groups.append([tracklet])
    return groups
