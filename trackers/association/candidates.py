"""Which known people can be a tracklet's: those last seen where a way leads from, not long ago.

The rest of the site need not be looked at, so a decision costs the same on a large site.
"""

import math
from collections.abc import Iterable, Iterator

from trackers.association.appearance import NearestEmbeddings
from trackers.association.identity import Identity
from trackers.association.topology import (
    Topology,
    Transition,
    in_two_places,
    later_of,
    transition_evidence,
)
from trackers.tracklet import Tracklet

# Of more than so many, none can be told from the others by looks alone.
_MANY = 64
# As long after somebody was lost, where they were says where they are.
_RECENT_S = 60.0


class Candidates:
    """People by the camera that saw them last. Tell it of every tracklet that becomes theirs."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._last: dict[int, Tracklet] = {}
        # Each with a time after which neither they nor those before them in the dict were seen.
        self._at: dict[str, dict[int, tuple[float, Tracklet]]] = {}
        self._marks: dict[str, float] = {}
        self._looks = NearestEmbeddings()

    def see(self, global_id: int, tracklet: Tracklet) -> None:
        """Take a tracklet of this person, or a newer revision of one."""
        known = self._last.get(global_id)
        last = tracklet if known is None else later_of(known, tracklet)
        if known is not None:
            del self._at[known.camera_id][global_id]
        place = last.camera_id
        self._last[global_id] = last
        self._marks[place] = max(self._marks.get(place, -math.inf), last.end)
        self._at.setdefault(place, {})[global_id] = self._marks[place], last
        self._looks.put(global_id, last.exemplars)

    def forget(self, global_id: int) -> None:
        """Leave a person out."""
        last = self._last.pop(global_id)
        del self._at[last.camera_id][global_id]
        self._looks.drop(global_id)

    def of(self, tracklets: Iterable[Tracklet]) -> list[int]:
        """The global ids, in order, of all whom one of ``tracklets`` can show, and few others.

        Of very many who may be anywhere, the most alike.
        """
        tracklets = list(tracklets)
        given = all(self._topology.is_given(tracklet.camera_id) for tracklet in tracklets)
        if tracklets and not given and len(self._last) <= _MANY:
            return sorted(self._last)
        return sorted(set().union(*(self._of_one(tracklet) for tracklet in tracklets)))

    def way(self, tracklet: Tracklet, identity: Identity) -> float:
        """Log-odds from where this person was seen last; -inf when it is impossible.

        That is too far to come from, or at one moment where no two cameras overlap.
        """
        evidence = transition_evidence(tracklet, self._last[identity.global_id], self._topology)
        if evidence == -math.inf or identity.last_seen < tracklet.start:
            return evidence
        members = identity.members.values()
        twice = any(in_two_places(tracklet, member, self._topology) for member in members)
        return -math.inf if twice else evidence

    def _of_one(self, tracklet: Tracklet) -> set[int]:
        if self._topology.knows(tracklet.camera_id):
            ways = self._topology.passages[tracklet.camera_id]
            near = self._topology.near(tracklet.camera_id)
            spans = [(place, _left_between(tracklet, ways.get(place))) for place in near]
        else:
            spans = [(tracklet.camera_id, (tracklet.start - _RECENT_S, tracklet.end))]
        found = {i for place, span in spans for i in self._left(tracklet, place, *span)}
        return found | self._anywhere(tracklet)

    def _left(
        self, tracklet: Tracklet, place: str, earliest: float, latest: float
    ) -> Iterator[int]:
        """Who left ``place`` between two moments, or is there since ``tracklet`` began."""
        for global_id, (mark, last) in reversed(self._at.get(place, {}).items()):
            if mark < earliest:
                return
            if earliest <= last.end <= latest or last.start > tracklet.start:
                yield global_id

    def _anywhere(self, tracklet: Tracklet) -> set[int]:
        """Those of whom it is not known whether they can come to where ``tracklet`` is."""
        knows = self._topology.knows
        here = knows(tracklet.camera_id)
        if here and self._topology.knows_all(self._at):
            return set()
        places = [place for place in self._at if not (here and knows(place))]
        if sum(len(self._at[place]) for place in places) <= _MANY:
            return {global_id for place in places for global_id in self._at[place]}
        alike = self._looks.most(tracklet.exemplars, _MANY)
        return {i for i in alike if not (here and knows(self._last[i].camera_id))}


def _left_between(tracklet: Tracklet, passage: Transition | None) -> tuple[float, float]:
    """When those left, at the earliest and at the latest, who come by the passage."""
    if passage is None:
        return tracklet.start, -math.inf
    return tracklet.start - passage.longest_s, tracklet.start - passage.shortest_s
