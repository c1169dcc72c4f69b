"""Which identities were one person all along: the surest pair is merged first.

For people whom a camera saw of whose ways nothing is known. Of the others all tracklets are judged
together, in `global_solution`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from trackers.association.corrections import Judged
from trackers.association.decision import log_odds
from trackers.association.identity import Identity
from trackers.association.people import People
from trackers.association.scores import Scores
from trackers.tracklet import TrackletKey


@dataclass(frozen=True, slots=True)
class Merge:
    """``gone`` was ``kept``, the older id; ``score`` is the log-odds of it."""

    kept: int
    gone: int
    score: float
    keys: tuple[TrackletKey, ...]


def merge_identities(
    identities: dict[int, Identity], score: Callable[[Identity, Identity], float], alone: float
) -> list[Merge]:
    """Merge, in place, the pairs that score above ``alone`` until there are none; in order.

    ``score`` takes the older identity first. A merge changes only the pairs of the identity that
    was kept, so only those are scored again.
    """

    def promising(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], float]:
        scored = ((pair, score(identities[pair[0]], identities[pair[1]])) for pair in pairs)
        return {pair: value for pair, value in scored if value > alone}

    scores = promising(combinations(sorted(identities), 2))
    merges = []
    while scores:
        kept, gone = surest = min(scores, key=lambda pair: (-scores[pair], pair))
        absorbed = identities.pop(gone).members
        merges.append(Merge(kept, gone, scores[surest], tuple(absorbed)))
        for tracklet in absorbed.values():
            identities[kept].see(tracklet)
        scores = {pair: value for pair, value in scores.items() if not {kept, gone} & {*pair}}
        others = sorted(identities.keys() - {kept})
        scores |= promising((min(kept, other), max(kept, other)) for other in others)
    return merges


def merge_people(people: People, scores: Scores, least: float) -> Judged:
    """Who of ``people`` were one, at a probability above ``least``; ids stay those of the older."""
    copies: dict[int, Identity] = {}
    for global_id in people.without_ways():
        copies[global_id] = Identity(global_id)
        for member in people.identities[global_id].members.values():
            copies[global_id].see(member)
    count = len(people.identities)
    merges = merge_identities(copies, lambda a, b: _fit(a, b, scores, count), log_odds(least))
    judged = Judged({}, {})
    for merge in merges:
        judged.owner.update(dict.fromkeys(merge.keys, merge.kept))
        judged.margins.update(dict.fromkeys(merge.keys, merge.score))
    return judged


def _fit(a: Identity, b: Identity, scores: Scores, people: int) -> float:
    """Every member of ``b`` must fit ``a``; what they say is averaged by length."""
    members = list(b.members.values())
    said: list[float] = []
    for member in members:
        said += scores.of(member, [a], people)
        if said[-1] == -math.inf:
            return -math.inf
    # A member that has faded says nothing any more.
    weights = [member.count if len(member.path) else 0 for member in members]
    if not any(weights):
        return -math.inf
    weighted = sum(weight * log_odds for weight, log_odds in zip(weights, said, strict=True))
    return weighted / sum(weights)
