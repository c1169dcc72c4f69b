"""Which known people a tracklet may show: recently seen by a linked camera, or alike in appearance.

The rest of the site is not compared, so a decision costs the same on a large site.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Population, mean_embedding
from trackers.association.identity import Identity
from trackers.association.people_arrays import KnownPeople, PeopleArrays
from trackers.association.topology import (
    Topology,
    Transition,
    in_two_places,
    later_of,
    transition_evidence,
)
from trackers.tracklet import Tracklet

# Among more people than this, appearance alone does not identify one.
_MANY = 64
# For this long after a person was lost, their last place predicts where they are.
_RECENT_S = 60.0
_FIRST_ROWS = 64
_NOBODY: dict[int, tuple[float, Tracklet]] = {}


class Candidates:
    """People by the camera that saw them last; `update` it with every tracklet of a person."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._last: dict[int, Tracklet] = {}
        # Each with a time after which neither this person nor those before in the dict were seen.
        self._at: dict[str, dict[int, tuple[float, Tracklet]]] = {}
        self._marks: dict[str, float] = {}
        self._nearest = NearestEmbeddings()
        self._arrays = PeopleArrays(topology)

    def update(self, global_id: int, tracklet: Tracklet) -> None:
        """Add a tracklet of this person, or a newer revision of one."""
        known = self._last.get(global_id)
        last = tracklet if known is None else later_of(known, tracklet)
        if known is not None:
            del self._at[known.camera_id][global_id]
        place = last.camera_id
        self._last[global_id] = last
        self._marks[place] = max(self._marks.get(place, -math.inf), last.end)
        self._at.setdefault(place, {})[global_id] = self._marks[place], last
        self._nearest.put(global_id, last.exemplars)
        self._arrays.change(global_id)

    def forget(self, global_id: int) -> None:
        """Remove a person."""
        last = self._last.pop(global_id)
        del self._at[last.camera_id][global_id]
        self._nearest.drop(global_id)
        self._arrays.drop(global_id)

    def of(self, tracklets: Iterable[Tracklet]) -> list[int]:
        """The global ids, in order, of all people that one of ``tracklets`` may show.

        Of very many who may be anywhere, the most similar.
        """
        tracklets = list(tracklets)
        given = all(self._topology.is_given(tracklet.camera_id) for tracklet in tracklets)
        if tracklets and not given and len(self._last) <= _MANY:
            return sorted(self._last)
        return sorted(set().union(*(self._of_one(tracklet) for tracklet in tracklets)))

    def transition_evidence(self, tracklet: Tracklet, identity: Identity) -> float:
        """Log-odds of the transition from where this person was seen last; -inf when impossible.

        It is impossible when there was no time for it, or when both were seen at one time by
        cameras that do not overlap.
        """
        evidence = transition_evidence(tracklet, self._last[identity.global_id], self._topology)
        if evidence == -math.inf or identity.last_seen < tracklet.start:
            return evidence
        members = identity.members.values()
        twice = any(in_two_places(tracklet, member, self._topology) for member in members)
        return -math.inf if twice else evidence

    def arrays(self, people: Sequence[Identity], population: Population) -> KnownPeople:
        """Some of the people as arrays."""
        return self._arrays.of(people, self._last, population)

    def change(self, global_id: int) -> None:
        """Note that the appearance of a person has changed without a tracklet."""
        self._arrays.change(global_id)

    def transition_bounds(
        self, tracklet: Tracklet, people: Sequence[Identity], known: KnownPeople
    ) -> NDArray[np.float64]:
        """``(N,)``, as `transition_evidence` or more, but for rounding; ``known`` are the arrays
        of the people."""
        gaps_s = tracklet.start - known.end
        found = self._topology.evidences(known.camera, tracklet.camera_id, gaps_s)
        for number in np.flatnonzero(known.start > tracklet.start).tolist():
            found[number] = self.transition_evidence(tracklet, people[number])
        return found

    def _of_one(self, tracklet: Tracklet) -> set[int]:
        if self._topology.knows(tracklet.camera_id):
            transitions = self._topology.transitions[tracklet.camera_id]
            near = self._topology.near(tracklet.camera_id)
            spans = [(place, _left_between(tracklet, transitions.get(place))) for place in near]
        else:
            spans = [(tracklet.camera_id, (tracklet.start - _RECENT_S, tracklet.end))]
        beside = sorted(self._topology.beside.get(tracklet.camera_id, ()))
        spans += [(place, (tracklet.start, math.inf)) for place in beside]
        found = self._anywhere(tracklet)
        start = tracklet.start
        for place, (earliest, latest) in spans:
            # Those who left between two moments, or came there after the tracklet began. No call
            # for each: there are many places, and most are empty.
            for global_id, (mark, last) in reversed(self._at.get(place, _NOBODY).items()):
                if mark < earliest:
                    break
                if earliest <= last.end <= latest or last.start > start:
                    found.add(global_id)
        return found

    def _anywhere(self, tracklet: Tracklet) -> set[int]:
        """Those last seen where no transition to or from the camera of ``tracklet`` is known."""
        knows = self._topology.knows
        here = knows(tracklet.camera_id)
        if here and self._topology.knows_all(self._at):
            return set()
        places = [place for place in self._at if not (here and knows(place))]
        if sum(len(self._at[place]) for place in places) <= _MANY:
            return {global_id for place in places for global_id in self._at[place]}
        alike = self._nearest.most(tracklet.exemplars, _MANY)
        return {i for i in alike if not (here and knows(self._last[i].camera_id))}


def _left_between(tracklet: Tracklet, transition: Transition | None) -> tuple[float, float]:
    """The earliest and the latest moment at which a person who made the transition left."""
    if transition is None:
        return tracklet.start, -math.inf
    return tracklet.start - transition.longest_s, tracklet.start - transition.shortest_s


class NearestEmbeddings:
    """Mean embeddings by name, to find the nearest. Nothing is computed before a query."""

    def __init__(self) -> None:
        self._changed: dict[int, NDArray[np.float32]] = {}
        self._row: dict[int, int] = {}
        self._names: list[int] = []
        self._embeddings = np.zeros((0, 0), np.float32)

    def put(self, name: int, exemplars: NDArray[np.float32]) -> None:
        """Set the exemplars ``(K, D)`` of this name."""
        if len(exemplars):
            self._changed[name] = exemplars

    def drop(self, name: int) -> None:
        """Remove this name, if it is there."""
        self._changed.pop(name, None)
        row = self._row.pop(name, None)
        if row is None:
            return
        last = self._names.pop()
        if last != name:
            self._names[row], self._row[last] = last, row
            self._embeddings[row] = self._embeddings[len(self._names)]

    def most(self, exemplars: NDArray[np.float32], count: int) -> Iterable[int]:
        """The names of the ``count`` nearest to exemplars ``(K, D)``; none without exemplars."""
        self._apply_changes()
        if not len(exemplars) or len(self._names) <= count:
            return self._names if len(exemplars) else ()
        cosines = self._embeddings[: len(self._names)] @ mean_embedding(exemplars)
        return [self._names[row] for row in np.argpartition(-cosines, count)[:count]]

    def _apply_changes(self) -> None:
        for name, exemplars in self._changed.items():
            row = self._row.setdefault(name, len(self._names))
            if row == len(self._names):
                self._names.append(name)
            if row == len(self._embeddings):
                more = np.zeros((max(2 * row, _FIRST_ROWS), exemplars.shape[1]), np.float32)
                more[:row] = self._embeddings if row else more[:0]
                self._embeddings = more
            self._embeddings[row] = mean_embedding(exemplars)
        self._changed.clear()
