"""Decisions judged again: each that was not clear once its tracklet is over, at last all."""

import math
from collections.abc import Iterable

from trackers.association.corrections import Judged, corrections
from trackers.association.decision import Clarity, Decision, Rules, log_odds
from trackers.association.evidence import Evidence
from trackers.association.global_solution import solve
from trackers.association.merging import merge_people
from trackers.association.people import People
from trackers.association.refinement import margins_without_ways, refine
from trackers.association.scores import Scores
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet, TrackletKey

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
