"""How likely a tracklet shows each of some people, for decisions second by second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trackers.association.appearance import Population
from trackers.association.candidates import Candidates
from trackers.association.decision import Rules
from trackers.association.identity import Identity
from trackers.association.motion import overlap_in_time
from trackers.association.shared_views import SharedViews
from trackers.association.topology import Topology
from trackers.tracklet import GROUND, Tracklet


@dataclass(slots=True)
class Scorer:
    """Scores people for a tracklet from appearance, transitions and place, by the rules."""

    rules: Rules
    topology: Topology
    candidates: Candidates
    population: Population
    shared_views: SharedViews

    def of(self, tracklet: Tracklet, identities: Sequence[Identity]) -> list[float]:
        """Log-odds that ``tracklet`` shows each person, over a new one.

        -inf when it is impossible.
        """
        found = [self._place_and_transition(tracklet, identity) for identity in identities]
        appearance = self.population.of(tracklet)
        if appearance is None:
            return found
        possible = [number for number, score in enumerate(found) if score > -math.inf]
        known = [(n, identities[n].appearance(self.population)) for n in possible]
        compared = [(number, other) for number, other in known if other is not None]
        # Walks on the ground are made of what several cameras saw.
        here = {tracklet.camera_id} - {GROUND}
        evidence = self.population.evidence(
            appearance,
            [other for _, other in compared],
            [identities[number].cameras == here for number, _ in compared],
        )
        for (number, _), score in zip(compared, evidence.tolist(), strict=True):
            found[number] += score
        return found

    def _place_and_transition(self, tracklet: Tracklet, identity: Identity) -> float:
        transition = self.candidates.transition_evidence(tracklet, identity)
        if transition == -math.inf:
            return transition
        place = identity.place_evidence(tracklet, self.rules.limits)
        return transition + place + self.shared_views.evidence(tracklet, identity.members.values())


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
