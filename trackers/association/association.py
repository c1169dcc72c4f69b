"""The first association: tracklets in, decisions about identities out, in event time.

A tracklet waits until there is evidence, then joins the identity that explains it best, or starts
a new one. Nobody is twice in one camera at one time; in one moment each identity takes at most one
tracklet of a camera. When a recording is finished, identities that were one person are merged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trackers.association.appearance import (
    AMONG_FEW,
    AMONG_MANY,
    Calibration,
    Strangers,
    appearance_evidence,
    similarity,
)
from trackers.association.assignment import assign, best_other, moments
from trackers.association.candidates import Candidates
from trackers.association.identity import Identity
from trackers.association.merging import merge_identities
from trackers.association.motion import Limits
from trackers.association.presence import Presence
from trackers.association.similarities import similarities
from trackers.association.topology import Topology
from trackers.tracklet import GROUND, Tracklet, TrackletKey


@dataclass(frozen=True, slots=True)
class Rules:
    """When to decide and what is possible; times in seconds of event time.

    A tracklet is decided after ``evidence_s`` with ``min_exemplars``, or when it is closed. It
    joins an identity at a probability above ``min_confidence``. What was not seen for longer than
    ``gallery_s`` is forgotten: identities, and the looks and paths of old tracklets. What is known
    of the ways between cameras is in ``topology``.
    """

    evidence_s: float
    min_exemplars: int
    min_confidence: float
    gallery_s: float
    limits: Limits
    calibration: Calibration
    topology: Topology = field(default_factory=Topology)


@dataclass(frozen=True, slots=True)
class Decision:
    """A track is a person, from now on.

    ``kind`` is assigned for the first decision on a track, merged when two identities became one,
    split when the rest of a track shows another person than its beginning.
    ``confidence`` is a probability. It is about what the track shows from ``since`` on, seconds
    UTC, until the ``since`` of another decision on it; None stands for its start.
    """

    key: TrackletKey
    global_id: int
    confidence: float
    kind: str
    reason: str
    since: float | None = None


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
        self.strangers = Strangers()
        self.has_looks = False
        self._unknown: list[TrackletKey] = []
        self._owner: dict[TrackletKey, int] = {}
        self._candidates = Candidates(rules.topology)
        self._presence = Presence()

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
        known = self.tracklet(tracklet.key)
        self.has_looks = self.has_looks or len(tracklet.exemplars) > 0
        if known is not None and known.revision >= tracklet.revision:
            return
        owner = self._owner.get(tracklet.key)
        if owner is None:
            self.waiting[tracklet.key] = tracklet
        else:
            self._see(tracklet, owner)

    def restore(self, tracklet: Tracklet, global_id: int | None) -> None:
        """Put back a tracklet as it was before a restart, in any order."""
        self.has_looks = self.has_looks or len(tracklet.exemplars) > 0
        if global_id is None:
            self.waiting[tracklet.key] = tracklet
        else:
            self._join(tracklet, global_id)

    def memory(self) -> dict[str, Any]:
        """What a restart needs beside the tracklets, as numbers, text, lists and dicts."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Take back what `memory` gave, before any tracklet is restored."""

    def take_changed(self) -> list[TrackletKey]:
        """The tracklets that were made here and have changed since this was last asked."""
        return []

    def decide(self, at: float) -> list[Decision]:
        """Decide on every tracklet that has evidence at the moment ``at``, seconds UTC."""
        ready = [t for t in self.waiting.values() if self._has_evidence(t, at)]
        return self._decide_on(ready)

    def finish(self) -> list[Decision]:
        """Decide on all that still waits, then merge the identities that were one person."""
        return [*self._decide_on(list(self.waiting.values())), *self._merge_all()]

    def forget(self, at: float) -> list[TrackletKey]:
        """Drop what is of no more use; returns the tracks.

        Those are the tracks that stayed unknown, and identities not seen for longer than
        ``gallery_s``.

        ``gallery_s`` must be longer than a track stays open, else a track that goes on after it
        was forgotten is decided again, as somebody new.
        """
        oldest = at - self.rules.gallery_s
        old = [i.global_id for i in self.identities.values() if i.last_seen < oldest]
        gone = [key for global_id in sorted(old) for key in self.identities.pop(global_id).members]
        for global_id in old:
            self._candidates.forget(global_id)
        for key in gone:
            del self._owner[key]
            self._presence.forget(key)
        unknown, self._unknown = self._unknown, []
        return [*unknown, *gone]

    def _has_evidence(self, tracklet: Tracklet, at: float) -> bool:
        seen_long = at - tracklet.start >= self.rules.evidence_s
        # Where nothing has looks, there is no need to wait for them.
        enough_looks = len(tracklet.exemplars) >= self.rules.min_exemplars
        seen_well = enough_looks or (tracklet.camera_id == GROUND and not self.has_looks)
        # Its camera broke down: it will never be closed.
        abandoned = at - tracklet.end > self.rules.gallery_s
        return tracklet.closed or abandoned or (seen_long and seen_well)

    def _decide_on(self, ready: list[Tracklet]) -> list[Decision]:
        self._fade()
        decisions = []
        for camera_id in sorted({tracklet.camera_id for tracklet in ready}):
            of_camera = [t for t in ready if t.camera_id == camera_id]
            for group in moments(sorted(of_camera, key=lambda t: (t.start, t.track_id))):
                decisions += self._decide_together(group)
        return decisions

    def _decide_together(self, tracklets: list[Tracklet]) -> list[Decision]:
        """Tracklets of one camera that are there at one time, each to a person of its own."""
        identities = [self.identities[i] for i in self._candidates.of(tracklets)]
        scores = np.array([self._scores(tracklet, identities) for tracklet in tracklets])
        scores = scores.reshape(len(tracklets), len(identities))
        taken = assign(scores, _log_odds(self.rules.min_confidence))
        decisions = []
        for row, (tracklet, column) in enumerate(zip(tracklets, taken, strict=True)):
            del self.waiting[tracklet.key]
            if column is None and not self._may_be_new(tracklet):
                self._unknown.append(tracklet.key)
                continue
            if column is None:
                decision = self._new_person(tracklet, best_other(scores, row, taken))
            else:
                known, score = identities[column].global_id, float(scores[row, column])
                decision = Decision(
                    tracklet.key, known, _probability(score), "assigned", "known person"
                )
            self._learn_strangers(tracklet)
            self._join(tracklet, decision.global_id)
            decisions.append(decision)
        return decisions

    def _may_be_new(self, tracklet: Tracklet) -> bool:
        """Whether this was seen well enough to be a person of its own.

        What never gave a crop worth embedding is a part of somebody, or hidden behind them. Where
        there are no embeddings at all, nothing can be said of that.
        """
        on_ground = tracklet.camera_id == GROUND
        return on_ground or not self.has_looks or len(tracklet.exemplars) > 0

    def _new_person(self, tracklet: Tracklet, best_other: float) -> Decision:
        confidence = 1 - _probability(best_other)
        return Decision(tracklet.key, self.next_global_id, confidence, "assigned", "new person")

    def _join(self, tracklet: Tracklet, global_id: int) -> None:
        self._owner[tracklet.key] = global_id
        self.next_global_id = max(self.next_global_id, global_id + 1)
        self.identities.setdefault(global_id, Identity(global_id))
        self._see(tracklet, global_id)

    def _see(self, tracklet: Tracklet, global_id: int) -> None:
        self.identities[global_id].see(tracklet)
        self._candidates.see(global_id, tracklet)
        self._presence.see(global_id, tracklet)

    def _scores(self, tracklet: Tracklet, identities: Sequence[Identity]) -> list[float]:
        """Log-odds that ``tracklet`` shows the person of each; -inf when it is impossible."""
        places = [self._place_and_way(tracklet, identity) for identity in identities]
        possible = [i for i, place in zip(identities, places, strict=True) if place > -math.inf]
        looks = iter(self._looks(tracklet, possible))
        prior = self._prior(tracklet)
        return [prior + place + next(looks) if place > -math.inf else place for place in places]

    def _place_and_way(self, tracklet: Tracklet, identity: Identity) -> float:
        way = self._candidates.way(tracklet, identity)
        if way == -math.inf:
            return way
        return way + identity.place_evidence(tracklet, self.rules.limits)

    def _prior(self, tracklet: Tracklet) -> float:
        """The more people are known, the more likely one of them looks like a stranger.

        Where it is known who can come, it is known how likely a stranger is beside them.
        """
        known_ways = self.rules.topology.knows(tracklet.camera_id)
        return 0.0 if known_ways else -math.log(1 + len(self.identities))

    def _looks(self, tracklet: Tracklet, identities: Sequence[Identity]) -> list[float]:
        """Log-odds from appearance; what the same camera and the others say is averaged."""
        calibration = self.rules.calibration
        lines = calibration.same_camera, calibration.other_cameras
        shift = self.strangers.shift(calibration.strangers)
        known_ways = self.rules.topology.knows(tracklet.camera_id)
        trust = AMONG_FEW if known_ways else AMONG_MANY
        galleries = [g for identity in identities for g in identity.galleries(tracklet.camera_id)]
        cosines = iter(similarities(tracklet.exemplars, tracklet.qualities, galleries))
        looks = []
        for _ in identities:
            evidence = [appearance_evidence(next(cosines), line, shift, trust) for line in lines]
            said = [log_odds for log_odds in evidence if log_odds is not None]
            looks.append(sum(said) / len(said) if said else 0.0)
        return looks

    def _learn_strangers(self, tracklet: Tracklet) -> None:
        """Compare with the people who are decided and were there at the same time."""
        for global_id, key in self._presence.beside(tracklet):
            member = self.identities[global_id].members[key]
            cosine = similarity(tracklet.exemplars, tracklet.qualities, member.exemplars)
            if cosine is not None:
                self.strangers.see(cosine)

    def _merge_all(self) -> list[Decision]:
        alone = _log_odds(self.rules.min_confidence)
        decisions = []
        merges = merge_identities(self.identities, self._pair_score, alone)
        for merge in merges:
            reason = f"same person as {merge.gone}"
            self._candidates.forget(merge.gone)
            for key in merge.keys:
                self._owner[key] = merge.kept
                decisions.append(
                    Decision(key, merge.kept, _probability(merge.score), "merged", reason)
                )
        # What was kept may have been absorbed by another afterwards.
        for merge in (merge for merge in merges if merge.kept in self.identities):
            for key in merge.keys:
                self._see(self.identities[merge.kept].members[key], merge.kept)
        return decisions

    def _pair_score(self, a: Identity, b: Identity) -> float:
        """Every member of ``b`` must fit ``a``; what they say is averaged by length."""
        members = list(b.members.values())
        scores = []
        for member in members:
            scores += self._scores(member, [a])
            if scores[-1] == -math.inf:
                return -math.inf
        # A member that has faded says nothing any more.
        weights = [member.count if len(member.path) else 0 for member in members]
        if not any(weights):
            return -math.inf
        weighted = sum(weight * score for weight, score in zip(weights, scores, strict=True))
        return weighted / sum(weights)

    def _fade(self) -> None:
        """Let go of old looks and paths, by the time of the tracklets, so that it is repeatable."""
        ends = [tracklet.end for tracklet in self.waiting.values()]
        ends += [identity.last_seen for identity in self.identities.values()]
        before = max(ends, default=-math.inf) - self.rules.gallery_s
        for identity in self.identities.values():
            if identity.fades_after < before:
                identity.fade(before)


def _probability(log_odds: float) -> float:
    if log_odds == -math.inf:
        return 0.0
    return 1 / (1 + math.exp(-log_odds))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))
