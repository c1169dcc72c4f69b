"""Online association: tracklets in, decisions about identities out, in event time.

A tracklet waits until there is evidence, then joins the identity that explains it best, or starts
a new one. A person is never twice in one camera at one time: in one moment each identity gets at
most one tracklet of a camera. An unclear decision is reassessed when the tracklet has ended, and
corrected where that is clearly better; when a recording is finished, all are reassessed together.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from trackers.association.appearance import Appearance, Population, Vector
from trackers.association.corrections import Change, Correction, Part, PartKey
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
from trackers.association.scores import Scorer, assign, best_other, likeliest, moments
from trackers.association.shared_views import SharedViews
from trackers.association.topology import Topology
from trackers.tracklet import GROUND, Tracklet, TrackletKey

__all__ = ["Association", "Decision", "Rules"]

# Besides the person assigned, this many of the best candidates are kept for the reassessment.
_RIVALS = 2
# Appearance is learned again when one in this many people is new,
_NEW_PEOPLE = 3
# from this many of the latest people
_COHORT = 256
# in this many of the cameras that saw most.
_CAMERAS = 8


class Association:
    """The state of a site: open and decided tracklets, identities, the next global id.

    Call ``observe`` with tracklets and ``decide`` at moments of event time; the same input at the
    same moments gives the same decisions.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.waiting: dict[TrackletKey, Tracklet] = {}
        self.has_embeddings = False
        self.topology = Topology(rules.topology.transitions)
        self.people = People(self.topology)
        self.learned_topology = LearnedTopology(self.topology, rules.gallery_s)
        self.population = Population(rules.calibration)
        self.shared_views = SharedViews(self.topology.learn_overlaps, self.topology.may_overlap)
        self._scores = Scorer(
            rules, self.topology, self.people.candidates, self.population, self.shared_views
        )
        self._reassessment = Reassessment(rules, self.topology, self.people, self._scores)
        self._unknown: list[TrackletKey] = []
        # When the first tracklet began, and the number of ids when appearance was last learned.
        self._first = math.inf
        self._ids_learned_from = 0

    @property
    def identities(self) -> dict[int, Identity]:
        """All known people, by global id."""
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
        """How clear the decision on a track was; None once the track has ended."""
        return self._reassessment.clarity(key)

    def tracklet(self, key: TrackletKey) -> Tracklet | None:
        """The last known revision of a track, None when it is unknown or forgotten."""
        return self.waiting.get(key) or self.people.tracklet(key)

    def observe(self, tracklet: Tracklet) -> None:
        """Add a revision of a tracklet; one that is not newer than the last changes nothing."""
        known = self.tracklet(tracklet.key)
        self.has_embeddings = self.has_embeddings or len(tracklet.exemplars) > 0
        if known is not None and known.revision >= tracklet.revision:
            return
        self._first = min(self._first, tracklet.start)
        self.learned_topology.add(tracklet)
        if self.people.owner(tracklet.key) is None:
            self.waiting[tracklet.key] = tracklet
            return
        self.people.update(tracklet)
        self._reassessment.update(tracklet)

    def restore(
        self,
        tracklet: Tracklet,
        global_id: int | None,
        state: str = PROBABLE,
        clarity: Clarity | None = None,
    ) -> None:
        """Restore a tracklet as it was before a restart, in any order."""
        self.has_embeddings = self.has_embeddings or len(tracklet.exemplars) > 0
        self.learned_topology.restore(tracklet)
        if global_id is None:
            self.waiting[tracklet.key] = tracklet
        else:
            self.people.join(tracklet, global_id)
            if state == CONFIRMED:
                self.people.confirm(tracklet.key)
            if clarity is not None:
                self._reassessment.decided(tracklet.key, clarity)

    def memory(self) -> dict[str, Any]:
        """What a restart needs beside the tracklets, as numbers, text, lists and dicts."""
        return {
            "needed": self.learned_topology.needed,
            "first": self._first,
            "learnt_ids": self._ids_learned_from,
            "transitions": self.topology.prior.memory(),
            "population": self.population.memory(),
            "shared_views": self.shared_views.memory(),
            "fixed": self.people.fixed.memory(),
        }

    def remember(self, memory: dict[str, Any]) -> None:
        """Restore what `memory` returned, before any tracklet is restored."""
        self.learned_topology.needed = memory["needed"]
        self._first = memory["first"]
        self._ids_learned_from = memory["learnt_ids"]
        self.topology.prior.remember(memory["transitions"])
        self.population.remember(memory["population"])
        self.shared_views.remember(memory["shared_views"])
        if "fixed" in memory:
            self.people.fixed.remember(memory["fixed"])

    def pop_changed(self) -> list[TrackletKey]:
        """The tracklets that were made here and have changed since the last call."""
        return []

    def decide(self, at: float) -> list[Decision]:
        """Decide on every tracklet that has evidence at the moment ``at``, seconds UTC."""
        self.learned_topology.learn(at, self.population)
        self._learn(at)
        ready = [t for t in self.waiting.values() if self._has_evidence(t, at)]
        return self._automatic([*self._decide_on(ready), *self._reassessment.refine(at)])

    def _learn(self, at: float) -> None:
        """Update the transition prior, and appearance when a third of the people are new."""
        span_s = min(at - self._first, self.rules.gallery_s)
        people = self.people
        cameras = people.presence.cameras
        self.topology.prior.learn(len(people.identities), people.tracks, len(cameras), span_s)
        self.shared_views.learn(at, cameras, people.seen_by)
        new = self.people.next_global_id - 1 - self._ids_learned_from
        if new > len(self.identities) // _NEW_PEOPLE:
            self._learn_appearance()

    def _seen(self) -> Iterator[Tracklet]:
        """All tracklets that have an owner."""
        for _, identity in sorted(self.identities.items()):
            yield from identity.members.values()

    def _learn_appearance(self) -> None:
        self._ids_learned_from = self.people.next_global_id - 1
        known = [identity for _, identity in sorted(self.identities.items())]
        self.population.learn_variation(
            [m.exemplars for identity in known[-_COHORT:] for m in identity.members.values()]
        )
        directions = [identity.direction(self.population) for identity in known]
        self.population.learn([one for one in directions if one is not None])
        by_camera: dict[str, list[Vector]] = {}
        for identity in known[-_COHORT:]:
            for camera_id, direction in identity.directions(self.population).items():
                by_camera.setdefault(camera_id, []).append(direction)
        self.population.learn_cameras(dict(sorted(by_camera.items())))
        appearances: dict[str, list[Appearance]] = {}
        for identity in known[-_COHORT:]:
            for camera_id, appearance in identity.appearances(self.population).items():
                appearances.setdefault(camera_id, []).append(appearance)
        most = sorted(appearances, key=lambda name: (-len(appearances[name]), name))[:_CAMERAS]
        self.population.learn_midpoint([appearances[camera_id] for camera_id in most])

    def finish(self) -> list[Decision]:
        """Decide on all that still waits, then find the best solution over all tracklets."""
        decisions = self._decide_on(list(self.waiting.values()))
        self.shared_views.learn_all(self.people.presence.cameras, self._seen())
        self._learn_appearance()
        decisions += [*self._reassessment.refine(-math.inf), *self._reassessment.solve()]
        return self._automatic(decisions)

    def forget(self, at: float) -> list[TrackletKey]:
        """Drop tracks that stayed unknown, and identities not seen for ``gallery_s``.

        Returns the dropped tracks. ``gallery_s`` must be longer than a track stays open, else a
        track that goes on after it was forgotten is decided again, as a new person.
        """
        oldest = at - self.rules.gallery_s
        gone = self._drop(self.people.pop_unseen(oldest))
        unknown, self._unknown = self._unknown, []
        return [*unknown, *gone]

    def remove(self, global_id: int) -> list[TrackletKey]:
        """Drop a person, whenever they were seen; returns their tracks, none when unknown.

        A track that goes on is decided again, as a new person.
        """
        gone = self._drop([global_id] if global_id in self.identities else [])
        self.learned_topology.forget(gone)
        return gone

    def parts(self) -> list[Part]:
        """All known parts of tracks, by camera, track and time."""
        return self.people.fixed.overlaid(self._decided_parts())

    def _decided_parts(self) -> list[Part]:
        return [
            Part(*key, None, tracklet.start, tracklet.end, global_id)
            for global_id, identity in sorted(self.identities.items())
            for key, tracklet in identity.members.items()
            if key[0] != GROUND
        ]

    def correct(self, correction: Correction, free: Iterable[PartKey] = ()) -> None:
        """Make the changes of a correction, and keep them from automatic decisions.

        All tracks of the people that it is about are held: they stay together, and apart. Of an
        undo, parts that are ``free`` are decided automatically again. A track that was cut counts
        for the person of its last part.
        """
        fixed, people = self.people.fixed, self.people
        if correction.new_id is not None:
            people.next_global_id = max(people.next_global_id, correction.new_id + 1)
        expected = {part.key: part.global_id for part in self.parts()}
        expected |= {change.key: change.after for change in correction.changes}
        fixed.set_parts(correction.changes)
        moved = self._moved(correction)
        people.regroup(moved)
        self._mark_changed(moved)
        if correction.undoes is not None:
            fixed.release(correction.undoes, free)
        else:
            fixed.hold(correction.number, self._held_by(correction, moved))
        # A track or walk counts for one person: parts of it may be another's.
        parts = {part.key: part.global_id for part in self.parts()}
        kept = {key: expected[key] for key in parts if parts[key] != expected.get(key, parts[key])}
        if kept:
            fixed.keep(correction.number, kept)

    def _moved(self, correction: Correction) -> dict[TrackletKey, int]:
        """The tracklets and walks that are other people's by a correction."""
        last: dict[TrackletKey, Change] = {}
        for change in sorted(correction.changes, key=lambda change: change.since or -math.inf):
            for key in self._shown_by(change, correction):
                last[key] = change
        return {
            key: change.after for key, change in last.items() if self.owner(key) == change.before
        }

    def _shown_by(self, change: Change, correction: Correction) -> list[TrackletKey]:
        """The tracklet of which a part is changed."""
        key = change.key[:2]
        return [key] if self.people.owner(key) is not None else []

    def _held_by(
        self, correction: Correction, moved: Mapping[TrackletKey, int]
    ) -> set[TrackletKey]:
        people = {correction.global_id, correction.into, correction.to, correction.new_id}
        if correction.kind == "name":
            return set()
        known = [self.identities[one] for one in people if one in self.identities]
        return {*moved, *(key for identity in known for key in identity.members)}

    def _mark_changed(self, keys: Iterable[TrackletKey]) -> None:
        """Note tracklets that were made here and have changed."""

    def _automatic(self, decisions: Iterable[Decision]) -> list[Decision]:
        """``decisions`` without those on parts that were corrected."""
        fixed = self.people.fixed
        found: list[Decision] = []
        for decision in decisions:
            since = decision.since
            if fixed.owner((*decision.key, since)) is None:
                cuts = fixed.following(decision.key, since, self._until(decision.key, since))
                found += [decision, *(replace(decision, since=at) for at in cuts)]
        return found

    def _until(self, key: TrackletKey, since: float | None) -> float:
        """When the part of a track that begins ``since`` ends at the latest, seconds UTC."""
        return math.inf

    def _drop(self, global_ids: list[int]) -> list[TrackletKey]:
        gone = self.people.forget(global_ids)
        self._reassessment.forget(gone)
        return gone

    def _has_evidence(self, tracklet: Tracklet, at: float) -> bool:
        seen_long = at - tracklet.start >= self.rules.evidence_s
        # Where there are no embeddings at all, there is nothing to wait for.
        enough_exemplars = len(tracklet.exemplars) >= self.rules.min_exemplars
        seen_well = enough_exemplars or (tracklet.camera_id == GROUND and not self.has_embeddings)
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
        """Decide on tracklets of one camera at one time, each a different person."""
        known = self.people.identities
        candidates = [known[global_id] for global_id in self.people.candidates.of(tracklets)]
        # One more than there are tracklets: one of them is no other tracklet's.
        most = max(_RIVALS, len(tracklets)) + 1
        identities, scores = self._scores.of(tracklets, candidates, most)
        assigned = assign(scores, log_odds(self.rules.min_confidence))
        decisions = []
        for row, (tracklet, column) in enumerate(zip(tracklets, assigned, strict=True)):
            del self.waiting[tracklet.key]
            if column is None and not self._may_be_new(tracklet):
                self._unknown.append(tracklet.key)
                continue
            other = best_other(scores, row, assigned)
            best = likeliest(scores[row], _RIVALS + 1)
            runners_up = tuple(
                (identities[i].global_id, probability(float(scores[row, i])))
                for i in best
                if i != column
            )[:_RIVALS]
            if column is None:
                global_id, reason = self.next_global_id, "new person"
                confidence, margin = 1 - probability(other), -other
            else:
                global_id, reason = identities[column].global_id, "known person"
                score = float(scores[row, column])
                confidence, margin = probability(score), score - max(other, 0.0)
            self.people.join(tracklet, global_id)
            self.shared_views.add(tracklet, self.identities[global_id].members.values())
            rivals = [identities[i].global_id for i in best]
            self._reassessment.decided(tracklet.key, Clarity(margin, tuple(rivals)))
            self._reassessment.update(tracklet)
            decisions.append(
                Decision(
                    tracklet.key, global_id, confidence, "assigned", reason, runners_up=runners_up
                )
            )
        return decisions

    def _may_be_new(self, tracklet: Tracklet) -> bool:
        """Whether this may be a new person.

        A track without a crop worth embedding shows a part of a person, or one hidden behind
        another. Where there are no embeddings at all, this cannot be judged.
        """
        on_ground = tracklet.camera_id == GROUND
        return on_ground or not self.has_embeddings or len(tracklet.exemplars) > 0

    def _fade(self) -> None:
        """Drop old exemplars and paths, by the time of the tracklets, so that it is repeatable."""
        ends = (tracklet.end for tracklet in self.waiting.values())
        latest = max(ends, default=-math.inf)
        before = max(self.people.latest, latest) - self.rules.gallery_s
        self._reassessment.forget(self.people.fade(before))
