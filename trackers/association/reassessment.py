"""Decisions judged again: each that was not clear once its tracklet is over, at last all."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from trackers.association.decision import Clarity, Decision, Rules, log_odds
from trackers.association.evidence import Evidence
from trackers.association.global_solution import solve
from trackers.association.identity import Identity
from trackers.association.partition import Judged, Partition, corrections
from trackers.association.people import People
from trackers.association.scores import Scores
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet, TrackletKey

#: Another person must be this much likelier, as log-odds, so that ids do not go to and fro.
_CLEARLY = 1.0
# Of a person the last so many tracklets are looked at.
_LATEST = 4


def refine(
    due: Sequence[Tracklet],
    rivals: Mapping[TrackletKey, Iterable[int]],
    people: People,
    evidence: Evidence,
) -> Judged:
    """Judge each of ``due``, in order, against the people who are its ``rivals``."""
    partition = Partition(evidence, lambda global_id: latest(people.identities.get(global_id)))
    changed: dict[TrackletKey, int] = {}
    margins: dict[TrackletKey, float] = {}
    next_id = people.next_global_id
    for tracklet in due:
        source = changed.get(tracklet.key) or people.owner(tracklet.key)
        assert source is not None
        members = partition.group(source).members
        if not may_be_judged(tracklet, members):
            continue
        moving = members[members.index(tracklet) :]
        others = [
            global_id
            for global_id in sorted({*rivals[tracklet.key]} - {source})
            if _may_take(people, global_id, moving, evidence)
        ]
        change = partition.judge(tracklet, source, others)
        if change is not None and change.gain > _CLEARLY:
            target = next_id if change.target is None else change.target
            next_id = max(next_id, target + 1)
            partition.apply(change, target)
            changed |= dict.fromkeys(change.moved, target)
            source, others = target, sorted({*others, source} - {target})
        margins[tracklet.key] = partition.margin(tracklet, source, others)
    return Judged(changed, margins)


def _may_take(
    people: People, global_id: int, tracklets: Sequence[Tracklet], evidence: Evidence
) -> bool:
    """Whether no tracklet of a person, not the oldest either, breaks a hard rule with these."""
    if global_id not in people.identities or not people.has_ways(global_id):
        return False
    members = people.identities[global_id].members.values()
    return all(
        evidence.possible(member, tracklet)
        for tracklet in tracklets
        for member in members
        if member.end >= tracklet.start
    )


def margins_without_ways(
    due: Sequence[Tracklet], people: People, scores: Scores
) -> dict[TrackletKey, float]:
    """Log-odds of who each is, over anybody else, where nothing is known of the ways.

    Where anybody may be anywhere, a second thought is no better than the first: nothing is changed.
    """
    return {tracklet.key: _margin(tracklet, people, scores) for tracklet in due}


def _margin(tracklet: Tracklet, people: People, scores: Scores) -> float:
    owner = people.owner(tracklet.key)
    assert owner is not None
    known = len(people.identities)
    others = [people.identities[i] for i in people.candidates.of([tracklet]) if i != owner]
    best_other = max(scores.of(tracklet, others, known), default=-math.inf)
    rest = Identity(owner)
    for member in latest(people.identities[owner]):
        if member.key != tracklet.key:
            rest.see(member)
    if not rest.members:
        return -best_other
    return scores.of(tracklet, [rest], known)[0] - max(best_other, 0.0)


def may_be_judged(tracklet: Tracklet, members: Sequence[Tracklet]) -> bool:
    """Whether all that came before it is known, as far as it counts."""
    return len(members) < _LATEST or members[0].key != tracklet.key


def latest(identity: Identity | None) -> list[Tracklet]:
    """The tracklets of a person that are looked at."""
    if identity is None:
        return []
    return sorted(identity.members.values(), key=lambda t: (t.start, t.key))[-_LATEST:]


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


# What was less probable than this, against anybody else, is judged again.
_CLEAR = log_odds(0.75)
_UNCLEAR = Clarity(-math.inf, ())


class SecondThoughts:
    """Corrects ``people``; tell it of every decision and of every tracklet that is somebody's."""

    def __init__(self, rules: Rules, topology: Topology, people: People, scores: Scores) -> None:
        self._rules = rules
        self._topology = topology
        self._people = people
        self._scores = scores
        self._evidence = Evidence(rules, topology)
        self._over: list[TrackletKey] = []
        # Of tracks that are decided and not over yet.
        self._clarity: dict[TrackletKey, Clarity] = {}

    def clarity(self, key: TrackletKey) -> Clarity | None:
        """How clear it was whose a track is when that was decided; None once the track is over."""
        return self._clarity.get(key)

    def decided(self, key: TrackletKey, clarity: Clarity) -> None:
        """Take how clear a decision was."""
        self._clarity[key] = clarity

    def see(self, tracklet: Tracklet) -> None:
        """Take the last revision of a tracklet that is somebody's."""
        self._evidence.forget(tracklet.key)
        # What is over can be judged as a whole.
        if tracklet.closed and self._rules.refine_s:
            self._over.append(tracklet.key)

    def forget(self, keys: Iterable[TrackletKey]) -> None:
        """Leave tracklets out that are nobody's any more, or have faded."""
        for key in keys:
            self._evidence.forget(key)
            self._clarity.pop(key, None)

    def refine(self, at: float) -> list[Decision]:
        """Correct and confirm what was decided on the tracklets that are over since the last."""
        over, self._over = sorted({*self._over}), []
        clarity = {key: self._clarity.pop(key, _UNCLEAR) for key in over}
        found = [t for key in over if (t := self._people.tracklet(key)) is not None]
        due = [t for t in found if t.end >= at - self._rules.refine_s and len(t.path)]
        judged = Judged({}, {})
        for tracklet in due:
            if clarity[tracklet.key].margin >= _CLEAR:
                judged.margins[tracklet.key] = clarity[tracklet.key].margin
        doubtful = [t for t in due if t.key not in judged.margins]
        tied = [t for t in doubtful if self._has_ways(t)]
        free = [t for t in doubtful if not self._has_ways(t)]
        judged.margins.update(margins_without_ways(free, self._people, self._scores))
        if tied:
            self._begin()
            tied.sort(key=lambda t: (t.start, t.key))
            rivals = {t.key: clarity[t.key].rivals for t in tied}
            again = refine(tied, rivals, self._people, self._evidence)
            judged.owner.update(again.owner)
            judged.margins.update(again.margins)
        return corrections(self._people, judged)

    def solve(self) -> list[Decision]:
        """The best solution over all tracklets, in place of the online one."""
        merged = merge_people(self._people, self._scores, self._rules.min_confidence)
        decisions = corrections(self._people, merged)
        self._begin()
        solved = solve(self._people, self._evidence, self._topology)
        return [*decisions, *corrections(self._people, solved)]

    def _begin(self) -> None:
        self._evidence.begin(self._scores.strangers, len(self._people.identities))

    def _has_ways(self, tracklet: Tracklet) -> bool:
        owner = self._people.owner(tracklet.key)
        assert owner is not None
        return self._people.has_ways(owner)
