"""The first association: tracklets in, decisions about identities out, in event time.

A tracklet waits until there is evidence, then joins the identity that explains it best, or starts
a new one. Nobody is twice in one camera at one time; in one moment each identity takes at most one
tracklet of a camera. A decision that was not clear is judged again when the tracklet is over, and
corrected where that is clearly better; when a recording is finished, all are judged together.
"""

import math
from typing import Any

import numpy as np

from trackers.association.appearance import Appearance, Population, Vector
from trackers.association.decision import (
    CONFIRMED,
    PROBABLE,
    Clarity,
    Decision,
    Rules,
    log_odds,
    probability,
)
from trackers.association.identity import Identity
from trackers.association.learned_topology import LearnedTopology
from trackers.association.people import People
from trackers.association.reassessment import Reassessment
from trackers.association.scores import Scores, assign, best_other, likeliest, moments
from trackers.association.topology import Topology
from trackers.tracklet import GROUND, Tracklet, TrackletKey

__all__ = ["Association", "Decision", "Rules"]

# Of all whom a tracklet may show, as many are kept in mind who fit it best, beside its own.
_RIVALS = 2
# Looks are learnt anew when one in so many people is new.
_NEWS = 3
# ... from so many who came last.
_COHORT = 256
# ... as these cameras saw them, which saw most.
_CAMERAS = 8


class Association:
    """All that is known of a site: open and decided tracklets, identities, the next global id.

    Feed it with ``observe`` and ask with ``decide`` at moments of event time; the same input at
    the same moments gives the same decisions.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.waiting: dict[TrackletKey, Tracklet] = {}
        self.has_looks = False
        self.topology = Topology(rules.topology.passages)
        self.people = People(self.topology)
        self.ways = LearnedTopology(self.topology, rules.gallery_s)
        self.population = Population(rules.calibration)
        self._scores = Scores(rules, self.topology, self.people.candidates, self.population)
        self._again = Reassessment(rules, self.topology, self.people, self._scores)
        self._unknown: list[TrackletKey] = []
        # When the first tracklet began, and how many ids there were when looks were last learnt.
        self._first = math.inf
        self._ids_learnt_from = 0

    @property
    def identities(self) -> dict[int, Identity]:
        """Everybody who is known, by global id."""
        return self.people.identities

    @property
    def next_global_id(self) -> int:
        """The id of the next new person."""
        return self.people.next_global_id

    @next_global_id.setter
    def next_global_id(self, value: int) -> None:
        self.people.next_global_id = value

    def state(self, key: TrackletKey) -> str:
        """Whether it is probable or confirmed whose a track is."""
        return self.people.state(key)

    def owner(self, key: TrackletKey) -> int | None:
        """The global id of a track, None while it is not decided or after it was forgotten."""
        return self.people.owner(key)

    def clarity(self, key: TrackletKey) -> Clarity | None:
        """How clear it was whose a track is when that was decided; None once the track is over."""
        return self._again.clarity(key)

    def tracklet(self, key: TrackletKey) -> Tracklet | None:
        """The last known revision of a track, None when it is unknown or forgotten."""
        return self.waiting.get(key) or self.people.tracklet(key)

    def observe(self, tracklet: Tracklet) -> None:
        """Take a revision of a tracklet; one that is not newer than the last changes nothing."""
        known = self.tracklet(tracklet.key)
        self.has_looks = self.has_looks or len(tracklet.exemplars) > 0
        if known is not None and known.revision >= tracklet.revision:
            return
        self._first = min(self._first, tracklet.start)
        self.ways.take(tracklet)
        if self.people.owner(tracklet.key) is None:
            self.waiting[tracklet.key] = tracklet
            return
        self.people.see(tracklet)
        self._again.see(tracklet)

    def restore(
        self,
        tracklet: Tracklet,
        global_id: int | None,
        state: str = PROBABLE,
        clarity: Clarity | None = None,
    ) -> None:
        """Put back a tracklet as it was before a restart, in any order."""
        self.has_looks = self.has_looks or len(tracklet.exemplars) > 0
        self.ways.restore(tracklet)
        if global_id is None:
            self.waiting[tracklet.key] = tracklet
        else:
            self.people.join(tracklet, global_id)
            if state == CONFIRMED:
                self.people.confirm(tracklet.key)
            if clarity is not None:
                self._again.decided(tracklet.key, clarity)

    def memory(self) -> dict[str, Any]:
        """What a restart needs beside the tracklets, as numbers, text, lists and dicts."""
        return {
            "needed": self.ways.needed,
            "first": self._first,
            "learnt_ids": self._ids_learnt_from,
            "transitions": self.topology.transitions.memory(),
            "population": self.population.memory(),
        }

    def remember(self, memory: dict[str, Any]) -> None:
        """Take back what `memory` gave, before any tracklet is restored."""
        self.ways.needed = memory["needed"]
        self._first = memory["first"]
        self._ids_learnt_from = memory["learnt_ids"]
        self.topology.transitions.remember(memory["transitions"])
        self.population.remember(memory["population"])

    def take_changed(self) -> list[TrackletKey]:
        """The tracklets that were made here and have changed since this was last asked."""
        return []

    def decide(self, at: float) -> list[Decision]:
        """Decide on every tracklet that has evidence at the moment ``at``, seconds UTC."""
        self.ways.learn(at, self.population)
        self._learn(at)
        ready = [t for t in self.waiting.values() if self._has_evidence(t, at)]
        return [*self._decide_on(ready), *self._again.refine(at)]

    def _learn(self, at: float) -> None:
        """Learn how people look here, each time that a third more are known, and how many come."""
        span_s = min(at - self._first, self.rules.gallery_s)
        people = self.people
        self.topology.transitions.learn(
            len(people.identities), people.tracks, people.presence.cameras, span_s
        )
        new = self.people.next_global_id - 1 - self._ids_learnt_from
        if new > len(self.identities) // _NEWS:
            self._learn_looks()

    def _learn_looks(self) -> None:
        self._ids_learnt_from = self.people.next_global_id - 1
        known = [identity for _, identity in sorted(self.identities.items())]
        directions = [identity.direction() for identity in known]
        self.population.learn([one for one in directions if one is not None])
        by_camera: dict[str, list[Vector]] = {}
        for identity in known[-_COHORT:]:
            for camera_id, direction in identity.directions().items():
                by_camera.setdefault(camera_id, []).append(direction)
        self.population.learn_cameras(dict(sorted(by_camera.items())))
        looks: dict[str, list[Appearance]] = {}
        for identity in known[-_COHORT:]:
            for camera_id, look in identity.looks(self.population).items():
                looks.setdefault(camera_id, []).append(look)
        most = sorted(looks, key=lambda name: (-len(looks[name]), name))[:_CAMERAS]
        self.population.learn_midpoint([looks[camera_id] for camera_id in most])

    def finish(self) -> list[Decision]:
        """Decide on all that still waits, then look for the best solution over all tracklets."""
        decisions = self._decide_on(list(self.waiting.values()))
        self._learn_looks()
        return [*decisions, *self._again.refine(-math.inf), *self._again.solve()]

    def forget(self, at: float) -> list[TrackletKey]:
        """Drop what is of no more use; returns the tracks.

        Those are the tracks that stayed unknown, and identities not seen for longer than
        ``gallery_s``.

        ``gallery_s`` must be longer than a track stays open, else a track that goes on after it
        was forgotten is decided again, as somebody new.
        """
        oldest = at - self.rules.gallery_s
        old = [i.global_id for i in self.identities.values() if i.last_seen < oldest]
        gone = self._drop(sorted(old))
        unknown, self._unknown = self._unknown, []
        return [*unknown, *gone]

    def remove(self, global_id: int) -> list[TrackletKey]:
        """Drop a person, whenever they were seen; returns their tracks, none when unknown.

        A track that goes on is decided again, as somebody new.
        """
        gone = self._drop([global_id] if global_id in self.identities else [])
        self.ways.forget(gone)
        return gone

    def _drop(self, global_ids: list[int]) -> list[TrackletKey]:
        gone = self.people.forget(global_ids)
        self._again.forget(gone)
        return gone

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
        identities = [self.identities[i] for i in self.people.candidates.of(tracklets)]
        scores = np.array([self._scores.of(tracklet, identities) for tracklet in tracklets])
        scores = scores.reshape(len(tracklets), len(identities))
        taken = assign(scores, log_odds(self.rules.min_confidence))
        decisions = []
        for row, (tracklet, column) in enumerate(zip(tracklets, taken, strict=True)):
            del self.waiting[tracklet.key]
            if column is None and not self._may_be_new(tracklet):
                self._unknown.append(tracklet.key)
                continue
            other = best_other(scores, row, taken)
            if column is None:
                decision, margin = self._new_person(tracklet, other), -other
            else:
                known, score = identities[column].global_id, float(scores[row, column])
                decision = Decision(
                    tracklet.key, known, probability(score), "assigned", "known person"
                )
                margin = score - max(other, 0.0)
            self.people.join(tracklet, decision.global_id)
            rivals = [identities[i].global_id for i in likeliest(scores[row], _RIVALS + 1)]
            self._again.decided(tracklet.key, Clarity(margin, tuple(rivals)))
            self._again.see(tracklet)
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
        confidence = 1 - probability(best_other)
        return Decision(tracklet.key, self.next_global_id, confidence, "assigned", "new person")

    def _fade(self) -> None:
        """Let go of old looks and paths, by the time of the tracklets, so that it is repeatable."""
        ends = [tracklet.end for tracklet in self.waiting.values()]
        ends += [identity.last_seen for identity in self.identities.values()]
        before = max(ends, default=-math.inf) - self.rules.gallery_s
        self._again.forget(self.people.fade(before))
