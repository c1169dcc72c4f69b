"""Agglomerative clustering: the two people whose join gains most are joined first.

The gain is that of whole people, so that two who fit in one place and not in another are not
joined for the one. Only people with candidates in common are tried.
"""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from trackers.association.evidence import Evidence
from trackers.association.partition import Partition
from trackers.tracklet import Tracklet, TrackletKey

# A smaller gain is rounding.
_LEAST_GAIN = 1e-6


def agglomerate(
    beginning: Sequence[Sequence[Tracklet]],
    candidates: Mapping[TrackletKey, Sequence[TrackletKey]],
    evidence: Evidence,
) -> dict[TrackletKey, int]:
    """Join people as long as it gains; each begins with some tracklets.

    ``candidates`` are the tracklets that may show the same person. People are numbered from 1 in
    order of ``beginning``; the lowest number of those joined is kept.
    """
    number = {t.key: name for name, mine in enumerate(beginning, start=1) for t in mine}
    people = _People(beginning, evidence)
    for key, others in candidates.items():
        for other in others:
            people.introduce(number[key], number[other])
    people.join_all()
    return {key: people.root(name) for key, name in number.items()}


class _People:
    """The joins so far and the queue of gains; a queued gain is valid until either changes."""

    def __init__(self, beginning: Sequence[Sequence[Tracklet]], evidence: Evidence) -> None:
        names = range(1, len(beginning) + 1)
        self._partition = Partition(evidence, lambda name: beginning[name - 1])
        self._near: dict[int, set[int]] = {name: set() for name in names}
        self._owner = {name: name for name in names}
        self._changes = dict.fromkeys(names, 0)
        self._queue: list[tuple[float, int, int, int]] = []

    def root(self, name: int) -> int:
        """The number of the person whom this one was joined to."""
        while self._owner[name] != name:
            name = self._owner[name]
        return name

    def introduce(self, a: int, b: int) -> None:
        """Make two people candidates for a join."""
        if a != b and b not in self._near[a]:
            self._near[a].add(b)
            self._near[b].add(a)
            self._consider(a, b)

    def join_all(self) -> None:
        """Join the pair that gains most, until none does."""
        while self._queue:
            _, kept, gone, changes = heappop(self._queue)
            if self._owner[kept] == kept and self._owner[gone] == gone:
                # A pair that has changed since is queued again, with its new gain.
                if changes == self._changes[kept] + self._changes[gone]:
                    self._join(kept, gone)

    def _join(self, kept: int, gone: int) -> None:
        self._partition.join(kept, gone)
        self._owner[gone] = kept
        self._changes[kept] += self._changes[gone] + 1
        both = self._near[kept] | self._near.pop(gone)
        self._near[kept] = {self.root(name) for name in both} - {kept}
        for other in sorted(self._near[kept]):
            self._near[other].add(kept)
            self._consider(kept, other)

    def _consider(self, a: int, b: int) -> None:
        a, b = min(a, b), max(a, b)
        gain = self._partition.gain(a, b)
        if gain > _LEAST_GAIN:
            heappush(self._queue, (-gain, a, b, self._changes[a] + self._changes[b]))
