"""Which identities were one person all along: the surest pair is merged first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from trackers.association.identity import Identity
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
