"""What was judged again, as decisions: who goes to whom, and what is confirmed."""

from dataclasses import dataclass

from trackers.association.decision import CONFIRMED, Decision, log_odds, probability
from trackers.association.people import People
from trackers.tracklet import TrackletKey

# From this probability on it is confirmed who a tracklet shows,
_SURE = log_odds(0.9)
# when so many crops show it, or the person has more than one tracklet.
_ENOUGH_EXEMPLARS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """``owner`` is whose the tracklets are that become another's; ``margins`` are log-odds, for
    each that was judged, of who it is now over anybody else."""

    owner: dict[TrackletKey, int]
    margins: dict[TrackletKey, float]


def corrections(people: People, judged: Judged) -> list[Decision]:
    """Let ``people`` take what was judged; the decisions, by key."""
    before = {key: people.owner(key) for key in judged.owner}
    known = {g for g in judged.owner.values() if g in people.identities}
    changed = {key: g for key, g in judged.owner.items() if g != before[key]}
    people.regroup(changed)
    decisions = []
    for key in sorted({*changed, *judged.margins}):
        sure = _is_sure(people, key, judged.margins.get(key))
        if key not in changed and (not sure or people.state(key) == CONFIRMED):
            continue
        if sure:
            people.confirm(key)
        source = before.get(key)
        kind, reason = _why(people, known, source, changed.get(key))
        global_id = people.owner(key)
        assert global_id is not None
        confidence = probability(judged.margins.get(key, 0.0))
        decisions.append(
            Decision(key, global_id, confidence, kind, reason, state=people.state(key))
        )
    return decisions


def _why(
    people: People, known: set[int], source: int | None, target: int | None
) -> tuple[str, str]:
    if target is None:
        return "confirmed", "seen well enough"
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
