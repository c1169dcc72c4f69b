"""Reassessment of decisions: unclear ones when their tracklet has ended, all at the finish."""

import math
from collections.abc import Iterable, Mapping, Sequence

from trackers.association.decision import Clarity, Decision, Rules, log_odds
from trackers.association.evidence import Evidence
from trackers.association.global_solution import solve
from trackers.association.identity import Identity
from trackers.association.partition import Judged, Partition, corrections
from trackers.association.people import People
from trackers.association.scores import Scorer
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet, TrackletKey

#: Another person must be this much likelier, as log-odds, so that ids do not oscillate.
_LEAST_GAIN = 1.0
# Of a person the last tracklets are compared, this many.
_LATEST = 4
# This many of the best candidates are compared at the end of a tracklet.
_RIVALS = 3


def refine(
    due: Sequence[Tracklet],
    rivals: Mapping[TrackletKey, Iterable[int]],
    people: People,
    evidence: Evidence,
) -> Judged:
    """Judge each of ``due``, in order, against the people who are its ``rivals``."""
    partition = Partition(
        evidence, lambda global_id: latest(people.identities.get(global_id)), people.fixed
    )
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
        if change is not None and change.gain > _LEAST_GAIN:
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
    """Whether no tracklet of a person breaks a hard rule with these."""
    if global_id not in people.identities:
        return False
    members = people.identities[global_id].members.values()
    return all(
        evidence.possible(member, tracklet)
        for tracklet in tracklets
        for member in members
        if member.end >= tracklet.start
    )


def may_be_judged(tracklet: Tracklet, members: Sequence[Tracklet]) -> bool:
    """Whether the tracklets before it are among ``members``, as far as they count."""
    keys = [member.key for member in members]
    if tracklet.key not in keys:
        return False
    return len(members) < _LATEST or keys[0] != tracklet.key


def latest(identity: Identity | None) -> list[Tracklet]:
    """The tracklets of a person that are compared."""
    if identity is None:
        return []
    return sorted(identity.members.values(), key=lambda t: (t.start, t.key))[-_LATEST:]


# A decision less probable than this, against any other person, is judged again.
_CLEAR = log_odds(0.75)
_UNCLEAR = Clarity(-math.inf, ())


class Reassessment:
    """Corrects ``people``; `update` it with every tracklet that has an owner."""

    def __init__(self, rules: Rules, topology: Topology, people: People, scores: Scorer) -> None:
        self._rules = rules
        self._topology = topology
        self._people = people
        self._scores = scores
        self._evidence = Evidence(
            rules, topology, scores.population, scores.shared_views, people.fixed_owner
        )
        self._ended: list[TrackletKey] = []
        # Of tracks that are decided and have not ended yet.
        self._clarity: dict[TrackletKey, Clarity] = {}

    def clarity(self, key: TrackletKey) -> Clarity | None:
        """How clear the decision on a track was; None once the track has ended."""
        return self._clarity.get(key)

    def decided(self, key: TrackletKey, clarity: Clarity) -> None:
        """Add how clear a decision was."""
        self._clarity[key] = clarity

    def update(self, tracklet: Tracklet) -> None:
        """Add the last revision of a tracklet with an owner."""
        # A closed tracklet can be judged as a whole.
        if tracklet.closed and self._rules.refine_s:
            self._ended.append(tracklet.key)

    def forget(self, keys: Iterable[TrackletKey]) -> None:
        """Remove tracklets that have no owner any more, or have faded."""
        for key in keys:
            self._clarity.pop(key, None)

    def refine(self, at: float) -> list[Decision]:
        """Correct and confirm decisions on the tracklets that ended since the last call."""
        ended, self._ended = sorted({*self._ended}), []
        clarity = {key: self._clarity.pop(key, _UNCLEAR) for key in ended}
        tracks = [key for key in ended if key not in self._people.fixed]
        found = [t for key in tracks if (t := self._people.tracklet(key)) is not None]
        due = [t for t in found if t.end >= at - self._rules.refine_s and len(t.path)]
        judged = Judged({}, {})
        for tracklet in due:
            if clarity[tracklet.key].margin >= _CLEAR:
                judged.margins[tracklet.key] = clarity[tracklet.key].margin
        doubtful = [t for t in due if t.key not in judged.margins]
        if doubtful:
            self._evidence.begin()
            doubtful.sort(key=lambda t: (t.start, t.key))
            rivals = {t.key: self._rivals(t, clarity[t.key]) for t in doubtful}
            again = refine(doubtful, rivals, self._people, self._evidence)
            judged.owner.update(again.owner)
            judged.margins.update(again.margins)
        return corrections(self._people, judged)

    def _rivals(self, tracklet: Tracklet, clarity: Clarity) -> list[int]:
        """The best candidates of a tracklet at its end."""
        ids = [i for i in self._people.candidates.of([tracklet]) if i in self._people.identities]
        known = [self._people.identities[i] for i in ids]
        people, (scores,) = self._scores.of([tracklet], known, _RIVALS)
        best = sorted((-score, one.global_id) for score, one in zip(scores, people, strict=True))
        return [*clarity.rivals, *(i for score, i in best[:_RIVALS] if score < math.inf)]

    def solve(self) -> list[Decision]:
        """The best solution over all tracklets, in place of the online one."""
        self._evidence.begin()
        solved = solve(self._people, self._evidence, self._topology)
        return corrections(self._people, solved)
