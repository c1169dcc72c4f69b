"""A partition of tracklets into people, and the gain of changing it.

The value of a person is the sum of the log-odds of their tracklets: of each with the one before it
(transition, place), and with all before it together (appearance). A single tracklet has value 0, so
a tracklet without evidence for any person is one of its own.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from trackers.association.decision import CONFIRMED, Decision, log_odds, probability
from trackers.association.evidence import Evidence
from trackers.association.motion import comparable
from trackers.association.people import People
from trackers.tracklet import Tracklet, TrackletKey

# Log-odds of an impossible pair that was decided.
_IMPOSSIBLE = -6.0

Members = list[Tracklet]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """``members`` in order of their start, and the sum of the log-odds between them.

    ``joined`` and ``rest`` keep what was found with, and without, other tracklets.
    """

    members: Members
    value: float
    joined: dict[tuple[TrackletKey, ...], "Group | None"] = field(default_factory=dict)
    rest: dict[tuple[TrackletKey, ...], "Group"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """``moved`` tracklets go from one person to another, or become a new one (None).

    ``gain`` is the gain in log-odds; ``whole`` says that no tracklet is left at ``source``.
    """

    moved: tuple[TrackletKey, ...]
    source: int
    target: int | None
    gain: float
    whole: bool


class Partition:
    """People by global id; ``load`` returns the tracklets of one at first use.

    Tracklets that are ``fixed`` never move.
    """

    def __init__(
        self,
        evidence: Evidence,
        load: Callable[[int], Iterable[Tracklet]],
        fixed: Container[TrackletKey] = (),
    ) -> None:
        self._evidence = evidence
        self._fixed = fixed
        self._load = load
        self._groups: dict[int, Group] = {}

    def group(self, global_id: int) -> Group:
        """The tracklets and the value of a person now."""
        if global_id not in self._groups:
            members = sorted(self._load(global_id), key=_order)
            self._groups[global_id] = self._value(members)
        return self._groups[global_id]

    def judge(self, tracklet: Tracklet, source: int, others: Sequence[int]) -> Change | None:
        """The best change for ``tracklet``, or for it and all after it, if one gains anything.

        ``source`` is its owner now, ``others`` its possible ones.
        """
        home = self.group(source)
        at = _place(home.members, tracklet)
        blocks = [[tracklet]] if at + 1 == len(home.members) else [[tracklet], home.members[at:]]
        best: Change | None = None
        for block in blocks:
            if any(member.key in self._fixed for member in block):
                continue
            change = self._best_of(block, source, others)
            if change is not None and (best is None or change.gain > best.gain):
                best = change
        return best

    def margin(self, tracklet: Tracklet, source: int, others: Sequence[int]) -> float:
        """Log-odds that ``tracklet`` is ``source`` rather than the best of ``others``, or new."""
        group = self.group(source)
        rest = self._without(group, [tracklet])
        fitting = [other for other in others if self._fits(self.group(other).members, [tracklet])]
        found = [self._with(self.group(other), [tracklet]) for other in fitting]
        gains = [g.value - self.group(o).value for g, o in zip(found, fitting, strict=True) if g]
        alternatives = [*gains, 0.0] if rest.members else gains
        return group.value - rest.value - max(alternatives, default=-math.inf)

    def gain(self, a: int, b: int) -> float:
        """The gain of joining two people; -inf when that is impossible."""
        one, other = self.group(a), self.group(b)
        joined = self._with(one, other.members)
        return -math.inf if joined is None else joined.value - one.value - other.value

    def join(self, kept: int, gone: int) -> None:
        """Make two people one."""
        joined = self._with(self.group(kept), self.group(gone).members)
        assert joined is not None
        self._groups[kept], self._groups[gone] = joined, Group([], 0.0)

    def apply(self, change: Change, target: int) -> None:
        """Make the change; a new person becomes ``target``."""
        source = self.group(change.source)
        block = [t for t in source.members if t.key in change.moved]
        rest = self._without(source, block)
        joined = self._with(self._groups[target], block) if change.target else None
        self._groups[change.source] = rest
        self._groups[target] = joined or self._value(block)

    def _best_of(self, block: Members, source: int, others: Sequence[int]) -> Change | None:
        home = self._groups[source]
        rest = self._without(home, block)
        alone = self._value(block).value
        stay = home.value - rest.value
        best, target = alone, None
        fitting = [other for other in others if self._fits(self.group(other).members, block)]
        for other in fitting:
            group = self._groups[other]
            joined = self._with(group, block)
            if joined is not None and joined.value - group.value > best:
                best, target = joined.value - group.value, other
        whole = not rest.members
        if target is None and whole:
            return None
        keys = tuple(t.key for t in block)
        return Change(keys, source, target, best - stay, whole) if best > stay else None

    def _fits(self, members: Members, block: Members) -> bool:
        """Whether the first of ``block`` is possible between its neighbours; most are not."""
        at = _place(members, block[0])
        transition = self._evidence.transition
        if at and transition(members[at - 1], block[0]) == -math.inf:
            return False
        alone = at == len(members) or len(block) > 1
        return alone or transition(block[0], members[at]) > -math.inf

    def _with(self, group: Group, block: Members) -> Group | None:
        """The group with ``block``; None when that is impossible."""
        keys = tuple(tracklet.key for tracklet in block)
        if keys not in group.joined:
            group.joined[keys] = self._joined(group, block)
        return group.joined[keys]

    def _joined(self, group: Group, block: Members) -> Group | None:
        members = _merged(group.members, block)
        chain, possible = self._chain(members)
        if not possible or not self._may_be_one(group.members, block):
            return None
        return Group(members, chain + self._evidence.appearance(members))

    def _without(self, group: Group, block: Members) -> Group:
        keys = tuple(tracklet.key for tracklet in block)
        if keys not in group.rest:
            rest = [tracklet for tracklet in group.members if tracklet.key not in keys]
            group.rest[keys] = self._value(rest)
        return group.rest[keys]

    def _may_be_one(self, members: Members, block: Members) -> bool:
        return all(self._evidence.possible(a, b) for b in block for a in members)

    def _value(self, members: Members) -> Group:
        return Group(members, self._chain(members)[0] + self._evidence.appearance(members))

    def _chain(self, members: Members) -> tuple[float, bool]:
        """The log-odds of each with its predecessors, summed, and whether all are possible."""
        evidence = self._evidence
        scores = [evidence.transition(earlier, later) for earlier, later in pairwise(members)]
        still_there: Members = []
        for number, later in enumerate(members):
            for earlier in reversed(members[:number]):
                if comparable(earlier, later):
                    scores.append(evidence.place(earlier, later))
                    break
            if evidence.has_shared_views:
                still_there = [one for one in still_there if one.end > later.start]
                scores.append(evidence.together(still_there, later))
                still_there.append(later)
        # A pair that was decided and is impossible by now is not separated at any cost.
        worth = [score if score > _IMPOSSIBLE else _IMPOSSIBLE for score in scores]
        return sum(worth), -math.inf not in scores


def _order(tracklet: Tracklet) -> tuple[float, TrackletKey]:
    return tracklet.start, tracklet.key


def _place(members: Members, tracklet: Tracklet) -> int:
    return bisect_left(members, _order(tracklet), key=_order)


def _merged(a: Members, b: Members) -> Members:
    return sorted([*a, *b], key=_order)


# From this probability on the person of a tracklet is confirmed,
_SURE = log_odds(0.9)
# with this many crops, or a person of more than one tracklet.
_ENOUGH_EXEMPLARS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """``owner`` are the new owners of tracklets that change theirs; ``margins`` the log-odds of the
    owner over any other, for each tracklet that was judged."""

    owner: dict[TrackletKey, int]
    margins: dict[TrackletKey, float]


def corrections(people: People, judged: Judged) -> list[Decision]:
    """Apply ``judged`` to ``people``; the decisions, by key."""
    before = {key: people.owner(key) for key in judged.owner}
    known = {g for g in judged.owner.values() if g in people.identities}
    changed = {key: g for key, g in judged.owner.items() if g != before[key]}
    people.regroup(changed)
    decisions = []
    for key in sorted({*changed, *judged.margins}):
        if key in people.fixed:
            continue
        sure = _is_sure(people, key, judged.margins.get(key))
        if key not in changed and sure == (people.state(key) == CONFIRMED):
            continue
        if sure:
            people.confirm(key)
        else:
            people.doubt(key)
        source = before.get(key)
        kind, reason = _why(people, known, source, changed.get(key), sure)
        global_id = people.owner(key)
        assert global_id is not None
        confidence = probability(judged.margins.get(key, 0.0))
        decisions.append(
            Decision(key, global_id, confidence, kind, reason, state=people.state(key))
        )
    return decisions


def _why(
    people: People, known: set[int], source: int | None, target: int | None, sure: bool
) -> tuple[str, str]:
    if target is None:
        return ("confirmed", "seen well enough") if sure else ("doubted", "less sure than it was")
    if source not in people.identities:
        return "merged", f"same person as {source}"
    if target not in known:
        return "split", f"another person than {source}"
    return "reassigned", f"rather this person than {source}"


def _is_sure(people: People, key: TrackletKey, margin: float | None) -> bool:
    global_id, tracklet = people.owner(key), people.tracklet(key)
    assert global_id is not None
    assert tracklet is not None
    members = len(people.identities[global_id].members)
    seen_enough = members > 1 or len(tracklet.exemplars) >= _ENOUGH_EXEMPLARS
    return margin is not None and margin >= _SURE and seen_enough
