"""Second thoughts: doubtful tracklets are judged again once they are over.

A tracklet whose looks and place speak clearly for another person goes there, with those that came
after it or without; a person whose tracklets are those of two becomes two; one who was given a new
id gets back the one that was lost. What is clearly right is confirmed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from trackers.association.corrections import Judged
from trackers.association.evidence import Evidence
from trackers.association.identity import Identity
from trackers.association.partition import Partition
from trackers.association.people import People
from trackers.association.scores import Scores
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
