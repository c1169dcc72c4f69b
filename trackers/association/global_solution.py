"""One solution over all tracklets of a recording: the surest pairs first, then local moves.

Correlation clustering: tracklets that fit best are joined to people, and people that fit best to
one, until nothing gains. Then local moves: a tracklet, or it and all after it, moves to another
person or becomes a new one, as long as the whole becomes more likely. Only people seen by a linked
camera, or of similar appearance, are tried, so that the work grows with the number of tracklets.
The gain is that of whole people, so that two who fit in one place and not in another are not
joined for the one.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from heapq import heappop, heappush

import numpy as np

from trackers.association.candidates import NearestEmbeddings
from trackers.association.doubt import margins_of
from trackers.association.evidence import Evidence
from trackers.association.partition import Judged, Partition
from trackers.association.people import People
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet, TrackletKey

_PASSES = 10
# A smaller gain is rounding.
_LEAST_GAIN = 1e-6
# The candidates before a tracklet: as many with the best transition and appearance,
_LIKELIEST = 8
# as many of similar appearance where no transition is known, or tracklets are few,
_ALIKE, _FEW = 32, 2000
# and those in the same camera not longer ago.
_RECENT_S = 60.0

Owners = dict[TrackletKey, int]
#: For each tracklet those before it that may show the same person.
Earlier = dict[TrackletKey, list[TrackletKey]]


def solve(people: People, evidence: Evidence, topology: Topology) -> Judged:
    """The best owner of each tracklet of ``people``, and the margin of each.

    Tracklets that were corrected keep theirs, and those of one person stay together.
    """
    fixed = {k for i in people.identities.values() for k in i.members if k in people.fixed}
    tracklets = [t for i in people.identities.values() for t in i.members.values()]
    ordered = sorted(tracklets, key=lambda t: (t.start, t.key))
    online = {key: g for g, i in people.identities.items() for key in i.members}
    before = earlier_ones(ordered, evidence, topology)
    next_id = max(people.next_global_id, len(ordered) + 1)
    # Of very many only the online ids are improved: agglomeration would take too long.
    beginnings = [online]
    if len(ordered) <= _FEW:
        beginnings.append(agglomerate(_alone(people), before, evidence))
    partition, owner = max(
        (
            _improved(ordered, beginning, before, evidence, next_id, fixed)
            for beginning in beginnings
        ),
        key=lambda found: _value(*found),
    )
    judged = [t for t in ordered if len(t.path) and t.key not in fixed]
    others = {t.key: _others(t, owner, before) for t in ordered}
    margins = margins_of(judged, owner, others, partition)
    named = renamed(owner, online, people.next_global_id, fixed)
    return Judged({key: g for key, g in named.items() if g != online[key]}, margins)


def improve(
    ordered: Sequence[Tracklet],
    online: Owners,
    before: Earlier,
    partition: Partition,
    next_id: int,
) -> Owners:
    """Change the partition until nothing gains; new people get ``next_id`` and the ids after it."""
    owner = dict(online)
    changed_at: dict[int, int] = {}
    judged_at: dict[TrackletKey, int] = {}
    changes = 0
    for _ in range(_PASSES):
        start = changes
        for tracklet in ordered:
            source, others = owner[tracklet.key], _others(tracklet, owner, before)
            latest = max(changed_at.get(global_id, 0) for global_id in (source, *others))
            # As long as none of these people changes, the result stays the same.
            if judged_at.get(tracklet.key, -1) >= latest:
                continue
            judged_at[tracklet.key] = changes
            change = partition.judge(tracklet, source, others)
            if change is None or change.gain <= _LEAST_GAIN:
                continue
            target = next_id if change.target is None else change.target
            next_id = max(next_id, target + 1)
            partition.apply(change, target)
            changes += 1
            changed_at[source] = changed_at[target] = changes
            owner |= dict.fromkeys(change.moved, target)
        if changes == start:
            break
    return owner


def _others(tracklet: Tracklet, owner: Owners, before: Earlier) -> list[int]:
    return sorted({owner[key] for key in before[tracklet.key]} - {owner[tracklet.key]})


def _alone(people: People) -> list[list[Tracklet]]:
    """Every tracklet alone; those that have faded stay with the next of their person, and those
    that were corrected with each other.
    """
    found: list[list[Tracklet]] = []
    for identity in people.identities.values():
        members = sorted(identity.members.values(), key=lambda t: (not len(t.path), t.start, t.key))
        kept = [m for m in members if m.key in people.fixed]
        loose = [m for m in members if m.key not in people.fixed]
        vivid = [member for member in loose if len(member.path)]
        faded = loose[len(vivid) :]
        first = [*kept, *faded] if kept else [*faded, *vivid[:1]]
        found += [first, *([member] for member in (vivid if kept else vivid[1:]))]
    return sorted(found, key=lambda tracklets: min((t.start, t.key) for t in tracklets))


def _improved(
    ordered: Sequence[Tracklet],
    beginning: Owners,
    before: Earlier,
    evidence: Evidence,
    next_id: int,
    fixed: Set[TrackletKey],
) -> tuple[Partition, Owners]:
    """The partition that no move improves any more, and its owners."""
    members: dict[int, list[Tracklet]] = defaultdict(list)
    for tracklet in ordered:
        members[beginning[tracklet.key]].append(tracklet)
    partition = Partition(evidence, lambda global_id: members[global_id], fixed)
    return partition, improve(ordered, beginning, before, partition, next_id)


def _value(partition: Partition, owner: Owners) -> float:
    return sum(partition.group(global_id).value for global_id in sorted({*owner.values()}))


def earlier_ones(ordered: Sequence[Tracklet], evidence: Evidence, topology: Topology) -> Earlier:
    """For each of ``ordered`` (by start) those before it that may show the same person; none for
    one that has faded."""
    at: dict[str, list[tuple[float, int]]] = defaultdict(list)
    alike = NearestEmbeddings()
    known = evidence.arrays_of(ordered)
    found: Earlier = {}
    for number, tracklet in enumerate(ordered):
        near = np.array(_near(tracklet, at, topology), np.intp)
        possible = evidence.likeliest(tracklet, known, near, _LIKELIEST)
        few = len(ordered) <= _FEW and not topology.is_given(tracklet.camera_id)
        if few or not topology.knows(tracklet.camera_id):
            names = alike.most(tracklet.exemplars, _ALIKE)
            possible += [ordered[name].key for name in sorted(names)]
        possible += _seen_beside(tracklet, ordered, at, evidence, topology)
        found[tracklet.key] = list(dict.fromkeys(possible))
        insort(at[tracklet.camera_id], (tracklet.end, number))
        alike.put(number, tracklet.exemplars)
    return found


def _near(
    tracklet: Tracklet, at: Mapping[str, list[tuple[float, int]]], topology: Topology
) -> list[int]:
    """Those seen recently by a linked camera."""
    if topology.knows(tracklet.camera_id):
        transitions = topology.transitions.get(tracklet.camera_id, {})
        longest = {camera_id: transition.longest_s for camera_id, transition in transitions.items()}
    else:
        longest = {tracklet.camera_id: _RECENT_S}
    near: list[int] = []
    for camera_id, longest_s in sorted(longest.items()):
        seen = at.get(camera_id, [])
        first = bisect_left(seen, (tracklet.start - longest_s, -1))
        near += [number for _, number in seen[first:]]
    return near


def _seen_beside(
    tracklet: Tracklet,
    ordered: Sequence[Tracklet],
    at: Mapping[str, list[tuple[float, int]]],
    evidence: Evidence,
    topology: Topology,
) -> list[TrackletKey]:
    """Those that another camera sees at the same time in the same place."""
    found = []
    for camera_id in sorted(topology.beside.get(tracklet.camera_id, ())):
        seen = at.get(camera_id, [])
        for _, number in seen[bisect_left(seen, (tracklet.start, -1)) :]:
            if evidence.together([ordered[number]], tracklet) > 0:
                found.append(ordered[number].key)
    return found


def renamed(
    owner: Owners,
    online: Mapping[TrackletKey, int],
    next_id: int,
    fixed: Set[TrackletKey] = frozenset(),
) -> Owners:
    """``owner`` with the ids of ``online``: each person gets the id of their ``fixed`` tracklets,
    else the one they share most tracklets with.

    People who share none that is left get ``next_id`` and the ids after it.
    """
    shared = Counter((online[key], found) for key, found in owner.items())
    ids = {owner[key]: online[key] for key in sorted(fixed)}
    given = {*ids.values()}
    for (before, found), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if found not in ids and before not in given:
            ids[found] = before
            given.add(before)
    for found in sorted({*owner.values()} - ids.keys()):
        ids[found], next_id = next_id, next_id + 1
    return {key: ids[found] for key, found in owner.items()}


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
        """The number of the person that this one was joined to."""
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
