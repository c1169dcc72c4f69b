"""The first association: tracklets in, decisions about identities out, in event time.

A tracklet waits until there is evidence, then joins the identity that explains it best, or starts
a new one. Nobody is twice in one camera at one time; in one moment each identity takes at most one
tracklet of a camera. When a recording is finished, identities that were one person are merged.
"""

import math
from dataclasses import dataclass

import numpy as np

from trackers.association.appearance import (
    Calibration,
    Strangers,
    appearance_evidence,
    similarity,
)
from trackers.association.assignment import assign, best_other, moments
from trackers.association.identity import Identity
from trackers.association.merging import merge_identities
from trackers.association.motion import Limits, overlap_in_time
from trackers.tracklet import Tracklet, TrackletKey


@dataclass(frozen=True, slots=True)
class Rules:
    """When to decide and what is possible; times in seconds of event time.

    A tracklet is decided after ``evidence_s`` with ``min_exemplars``, or when it is closed. It
    joins an identity at a probability above ``min_confidence``. What was not seen for longer than
    ``gallery_s`` is forgotten: identities, and the looks and paths of old tracklets.
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
            self.identities[owner].see(tracklet)

    def restore(self, tracklet: Tracklet, global_id: int | None) -> None:
        """Put back a tracklet as it was before a restart, in any order."""
        self.has_looks = self.has_looks or len(tracklet.exemplars) > 0
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
        """Drop what is of no more use; returns the tracks.

        Those are the tracks that stayed unknown, and identities not seen for longer than
        ``gallery_s``.

        ``gallery_s`` must be longer than a track stays open, else a track that goes on after it
        was forgotten is decided again, as somebody new.
        """
        oldest = at - self.rules.gallery_s
        old = [i.global_id for i in self.identities.values() if i.last_seen < oldest]
        gone = [key for global_id in sorted(old) for key in self.identities.pop(global_id).members]
        for key in gone:
            del self._owner[key]
        unknown, self._unknown = self._unknown, []
        return [*unknown, *gone]

    def _has_evidence(self, tracklet: Tracklet, at: float) -> bool:
        seen_long = at - tracklet.start >= self.rules.evidence_s
        seen_well = len(tracklet.exemplars) >= self.rules.min_exemplars
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
        identities = sorted(self.identities.values(), key=lambda i: i.global_id)
        scores = np.array([[self._score(t, i) for i in identities] for t in tracklets])
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
        return not self.has_looks or len(tracklet.exemplars) > 0

    def _new_person(self, tracklet: Tracklet, best_other: float) -> Decision:
        confidence = 1 - _probability(best_other)
        return Decision(tracklet.key, self.next_global_id, confidence, "assigned", "new person")

    def _join(self, tracklet: Tracklet, global_id: int) -> None:
        self.identities.setdefault(global_id, Identity(global_id)).see(tracklet)
        self._owner[tracklet.key] = global_id
        self.next_global_id = max(self.next_global_id, global_id + 1)

    def _score(self, tracklet: Tracklet, identity: Identity) -> float:
        """Log-odds that ``tracklet`` shows the person of ``identity``; -inf when impossible."""
        place = identity.place_evidence(tracklet, self.rules.limits)
        if place == -math.inf:
            return place
        # The more people are known, the more likely one of them looks like a stranger.
        prior = -math.log(1 + len(self.identities))
        return prior + place + self._looks(tracklet, identity)

    def _looks(self, tracklet: Tracklet, identity: Identity) -> float:
        """Log-odds from appearance; what the same camera and the others say is averaged."""
        calibration = self.rules.calibration
        lines = calibration.same_camera, calibration.other_cameras
        shift = self.strangers.shift(calibration.strangers)
        said = []
        galleries = identity.galleries(tracklet.camera_id)
        for gallery, line in zip(galleries, lines, strict=True):
            cosine = similarity(tracklet.exemplars, tracklet.qualities, gallery)
            evidence = appearance_evidence(cosine, line, shift)
            if evidence is not None:
                said.append(evidence)
        return sum(said) / len(said) if said else 0.0

    def _learn_strangers(self, tracklet: Tracklet) -> None:
        """Compare with the people who are decided and were there at the same time."""
        for global_id in sorted(self.identities):
            for member in self.identities[global_id].members.values():
                if member.camera_id != tracklet.camera_id or not overlap_in_time(tracklet, member):
                    continue
                cosine = similarity(tracklet.exemplars, tracklet.qualities, member.exemplars)
                if cosine is not None:
                    self.strangers.see(cosine)

    def _merge_all(self) -> list[Decision]:
        alone = _log_odds(self.rules.min_confidence)
        decisions = []
        for merge in merge_identities(self.identities, self._pair_score, alone):
            reason = f"same person as {merge.gone}"
            for key in merge.keys:
                self._owner[key] = merge.kept
                decisions.append(
                    Decision(key, merge.kept, _probability(merge.score), "merged", reason)
                )
        return decisions

    def _pair_score(self, a: Identity, b: Identity) -> float:
        """Every member of ``b`` must fit ``a``; what they say is averaged by length."""
        members = list(b.members.values())
        scores = []
        for member in members:
            scores.append(self._score(member, a))
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
        known = [*self.waiting.values()]
        known += [m for identity in self.identities.values() for m in identity.members.values()]
        latest = max((tracklet.end for tracklet in known), default=-math.inf)
        for identity in self.identities.values():
            identity.fade(latest - self.rules.gallery_s)


def _probability(log_odds: float) -> float:
    if log_odds == -math.inf:
        return 0.0
    return 1 / (1 + math.exp(-log_odds))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))
