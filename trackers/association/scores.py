"""How likely a tracklet shows each of some people, as the association decides second by second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trackers.association.appearance import Population
from trackers.association.candidates import Candidates
from trackers.association.decision import Rules
from trackers.association.identity import Identity, appearance_of
from trackers.association.motion import overlap_in_time
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet


@dataclass(slots=True)
class Scores:
    """Scores by the rules, the looks, the ways, and where people were seen last."""

    rules: Rules
    topology: Topology
    candidates: Candidates
    population: Population

    def of(self, tracklet: Tracklet, identities: Sequence[Identity]) -> list[float]:
        """Log-odds that ``tracklet`` shows the person of each, over somebody new.

        -inf when it is impossible.
        """
        found = [self._place_and_way(tracklet, identity) for identity in identities]
        look = appearance_of(tracklet, self.population)
        if look is None:
            return found
        looks = [
            (number, theirs)
            for number, identity in enumerate(identities)
            if found[number] > -math.inf and (theirs := identity.look(self.population)) is not None
        ]
        said = self.population.evidence(look, [theirs for _, theirs in looks])
        for (number, _), evidence in zip(looks, said.tolist(), strict=True):
            found[number] += evidence
        return found

    def _place_and_way(self, tracklet: Tracklet, identity: Identity) -> float:
        way = self.candidates.way(tracklet, identity)
        if way == -math.inf:
            return way
        return way + identity.place_evidence(tracklet, self.rules.limits)


_IMPOSSIBLE = -1e6


def assign(scores: NDArray[np.float64], alone: float) -> list[int | None]:
    """For each row the column it takes, or None when it stays alone.

    ``scores`` is ``(N, M)``, higher is better, -inf is forbidden; ``alone`` is the score of
    staying alone, which a pair must exceed. The sum of scores is the largest possible, and no
    column is taken twice.
    """
    rows, columns = scores.shape
    if not rows or not columns:
        return [None] * rows
    if rows == 1:
        best = int(scores[0].argmax())
        return [best if scores[0, best] > alone else None]
    # Each row brings a column of its own that means alone.
    padded = np.full((rows, columns + rows), _IMPOSSIBLE)
    padded[:, :columns] = np.where(scores > alone, scores, _IMPOSSIBLE)
    padded[np.arange(rows), columns + np.arange(rows)] = alone
    _, taken = linear_sum_assignment(padded, maximize=True)
    return [int(column) if column < columns else None for column in taken]


def best_other(scores: NDArray[np.float64], row: int, taken: list[int | None]) -> float:
    """Log-odds of the most likely person that the tracklet of ``row`` did not get.

    A person who went to another tracklet is only as likely as this one is better than that.
    """
    rivals = np.zeros(scores.shape[1])
    for rival, column in enumerate(taken):
        if column is not None:
            rivals[column] = scores[rival, column]
    return float((scores[row] - rivals).max(initial=-math.inf))


def likeliest(scores: NDArray[np.float64], columns: int) -> list[int]:
    """The columns ``(M,)`` of the best ``scores`` that are possible at all, in their order."""
    best = np.argsort(-scores, kind="stable")[:columns]
    return sorted(int(column) for column in best if scores[column] > -math.inf)


def moments(tracklets: list[Tracklet]) -> list[list[Tracklet]]:
    """Split tracklets of one camera, by start, so that those of a group are there together."""
    groups: list[list[Tracklet]] = []
    for tracklet in tracklets:
        if groups and all(overlap_in_time(tracklet, other) for other in groups[-1]):
            groups[-1].append(tracklet)
        else:
            groups.append([tracklet])
    return groups
