"""The first association: tracklets in, decisions about identities out, in event time.

A tracklet waits until there is evidence, then joins the identity that explains it best, or starts
a new one. Nobody is twice in one camera at one time; in one moment each identity takes at most one
tracklet of a camera. When a recording is finished, identities that were one person are merged.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Calibration, appearance_evidence, similarity
from trackers.association.assignment import assign
from trackers.association.motion import Limits, motion_evidence, overlap_in_time
from trackers.tracklet import Tracklet, TrackletKey

# One person against all the others: most pairs of tracklets are two people.
_PRIOR = -1.0
_GALLERY_SIZE = 48


@dataclass(frozen=True, slots=True)
class Rules:
    """When to decide and what is possible; times in seconds of event time.

    A tracklet is decided after ``evidence_s`` with ``min_exemplars``, or when it is closed. It
    joins an identity at a probability of at least ``min_confidence``. Identities that were not
    seen for ``gallery_s`` are forgotten.
    """

    evidence_s: float
    min_exemplars: int
    min_confidence: float
    gallery_s: float
    limits: Limits
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Decision:
    """A track is a person, from now on.

    ``kind`` is assigned for the first decision on a track, merged when two identities became one.
    ``confidence`` is a probability.
    """

    key: TrackletKey
    global_id: int
    confidence: float
    kind: str
    reason: str


@dataclass(slots=True)
class Identity:
    """A person: the tracklets that are theirs."""

    global_id: int
    members: dict[TrackletKey, Tracklet] = field(default_factory=dict)

    @property
    def last_seen(self) -> float:
        """Seconds UTC of the last observation."""
        return max(member.end for member in self.members.values())

    def tracklets(self) -> list[Tracklet]:
        """The members by name, whatever the order in which they came."""
        return [self.members[key] for key in sorted(self.members)]

    def gallery(self) -> NDArray[np.float32]:
        """``(M, D)`` exemplars of all members, the best of them when there are many."""
        seen = [member for member in self.tracklets() if len(member.exemplars)]
        if not seen:
            return np.zeros((0, 0), np.float32)
        exemplars = [member.exemplars for member in seen]
        qualities = np.concatenate([member.qualities for member in seen])
        best = np.argsort(-qualities, kind="stable")[:_GALLERY_SIZE]
        return np.concatenate(exemplars)[best]


class Association:
    """All that is known of a site: open and decided tracklets, identities, the next global id.

    Feed it with ``observe`` and ask with ``decide`` at moments of event time; the same input at
    the same moments gives the same decisions.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.waiting: dict[TrackletKey, Tracklet] = {}
        self.identities: dict[int, Identity] = {}
        self.next_global_id = 1
        self._owner: dict[TrackletKey, int] = {}

    def owner(self, key: TrackletKey) -> int | None:
        """The global id of a track, None while it is not decided or after it was forgotten."""
        return self._owner.get(key)

    def tracklet(self, key: TrackletKey) -> Tracklet | None:
        """The last known revision of a track, None when it is unknown or forgotten."""
        owner = self._owner.get(key)
        shelf = self.waiting if owner is None else self.identities[owner].members
        return shelf.get(key)

    def observe(self, tracklet: Tracklet) -> None:
        """Take a revision of a tracklet; one that is not newer than the last changes nothing."""
        owner = self._owner.get(tracklet.key)
        shelf = self.waiting if owner is None else self.identities[owner].members
        known = shelf.get(tracklet.key)
        if known is None or known.revision < tracklet.revision:
            shelf[tracklet.key] = tracklet

    def restore(self, tracklet: Tracklet, global_id: int | None) -> None:
        """Put back a tracklet as it was before a restart."""
        if global_id is None:
            self.waiting[tracklet.key] = tracklet
        else:
            self._join(tracklet, global_id)

    def decide(self, at: float) -> list[Decision]:
        """Decide on every tracklet that has evidence at the moment ``at``, seconds UTC."""
        ready = [t for t in self.waiting.values() if self._has_evidence(t, at)]
        return self._decide_on(ready)

    def finish(self) -> list[Decision]:
        """Decide on all that still waits, then merge the identities that were one person."""
        return [*self._decide_on(list(self.waiting.values())), *self._merge_all()]

    def forget(self, at: float) -> list[TrackletKey]:
        """Drop the identities that were not seen for ``gallery_s``; returns their tracks."""
        old = [
            identity
            for identity in self.identities.values()
            if identity.last_seen < at - self.rules.gallery_s
        ]
        gone = [key for identity in old for key in identity.members]
        for identity in old:
            del self.identities[identity.global_id]
        for key in gone:
            del self._owner[key]
        return gone

    def _has_evidence(self, tracklet: Tracklet, at: float) -> bool:
        seen_long = at - tracklet.start >= self.rules.evidence_s
        seen_well = len(tracklet.exemplars) >= self.rules.min_exemplars
        return tracklet.closed or (seen_long and seen_well)

    def _decide_on(self, ready: list[Tracklet]) -> list[Decision]:
        decisions = []
        for camera_id in sorted({tracklet.camera_id for tracklet in ready}):
            of_camera = [t for t in ready if t.camera_id == camera_id]
            for group in _moments(sorted(of_camera, key=lambda t: (t.start, t.track_id))):
                decisions += self._decide_together(group)
        return decisions

    def _decide_together(self, tracklets: list[Tracklet]) -> list[Decision]:
        """Tracklets of one camera that are there at one time, each to a person of its own."""
        identities = sorted(self.identities.values(), key=lambda i: i.global_id)
        scores = np.array([[self._score(t, i) for i in identities] for t in tracklets])
        alone = _log_odds(self.rules.min_confidence)
        taken = assign(scores.reshape(len(tracklets), len(identities)), alone)
        decisions = []
        for row, (tracklet, column) in enumerate(zip(tracklets, taken, strict=True)):
            best = max((float(score) for score in scores[row]), default=-math.inf)
            if column is None:
                decision = self._new_person(tracklet, best)
            else:
                score = float(scores[row, column])
                global_id = identities[column].global_id
                decision = Decision(
                    tracklet.key, global_id, _probability(score), "assigned", "known person"
                )
            del self.waiting[tracklet.key]
            self._join(tracklet, decision.global_id)
            decisions.append(decision)
        return decisions

    def _new_person(self, tracklet: Tracklet, best_other: float) -> Decision:
        global_id = self.next_global_id
        return Decision(
            tracklet.key, global_id, 1 - _probability(best_other), "assigned", "new person"
        )

    def _join(self, tracklet: Tracklet, global_id: int) -> None:
        identity = self.identities.setdefault(global_id, Identity(global_id))
        identity.members[tracklet.key] = tracklet
        self._owner[tracklet.key] = global_id
        self.next_global_id = max(self.next_global_id, global_id + 1)

    def _score(self, tracklet: Tracklet, identity: Identity) -> float:
        """Log-odds that ``tracklet`` shows the person of ``identity``; -inf when impossible."""
        motion = _motion(tracklet, identity, self.rules.limits)
        if motion == -math.inf:
            return motion
        cosine = similarity(tracklet.exemplars, tracklet.qualities, identity.gallery())
        return _PRIOR + motion + appearance_evidence(cosine, self.rules.calibration)

    def _merge_all(self) -> list[Decision]:
        decisions: list[Decision] = []
        while (pair := self._best_pair()) is not None:
            score, kept, gone = pair
            for tracklet in self.identities.pop(gone).tracklets():
                self._join(tracklet, kept)
                decisions.append(
                    Decision(
                        tracklet.key, kept, _probability(score), "merged", f"same person as {gone}"
                    )
                )
        return decisions

    def _best_pair(self) -> tuple[float, int, int] | None:
        """The two identities that are most likely one person, the older id first."""
        ids = sorted(self.identities)
        alone = _log_odds(self.rules.min_confidence)
        best: tuple[float, int, int] | None = None
        for position, kept in enumerate(ids):
            for gone in ids[position + 1 :]:
                score = self._pair_score(self.identities[kept], self.identities[gone])
                if score > alone and (best is None or score > best[0]):
                    best = score, kept, gone
        return best

    def _pair_score(self, a: Identity, b: Identity) -> float:
        """Every member of ``b`` must fit ``a``; what they say is averaged by length."""
        members = b.tracklets()
        scores = [self._score(member, a) for member in members]
        if -math.inf in scores:
            return -math.inf
        return float(np.average(scores, weights=[max(m.count, 1) for m in members]))


def _moments(tracklets: list[Tracklet]) -> list[list[Tracklet]]:
    """Split tracklets of one camera, by start, so that those of a group are there together."""
    groups: list[list[Tracklet]] = []
    for tracklet in tracklets:
        if groups and all(overlap_in_time(tracklet, other) for other in groups[-1]):
            groups[-1].append(tracklet)
        else:
            groups.append([tracklet])
    return groups


def _motion(tracklet: Tracklet, identity: Identity, limits: Limits) -> float:
    """What place and time say: seen together from other cameras, and the nearest in time."""
    together: list[float] = []
    apart: list[tuple[float, float]] = []
    for member in identity.tracklets():
        # A track that is still open may come back at any moment, so it holds its place.
        if member.camera_id == tracklet.camera_id and not member.closed:
            return -math.inf
        evidence = motion_evidence(tracklet, member, limits)
        if evidence == -math.inf:
            return evidence
        if overlap_in_time(tracklet, member):
            together.append(evidence)
        else:
            gap = max(tracklet.start - member.end, member.start - tracklet.end)
            apart.append((gap, evidence))
    seen_together = float(np.mean(together)) if together else 0.0
    return seen_together + (min(apart)[1] if apart else 0.0)


def _probability(log_odds: float) -> float:
    if log_odds == -math.inf:
        return 0.0
    return 1 / (1 + math.exp(-log_odds))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))
