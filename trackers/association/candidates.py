"""Which known people can be a tracklet's: those last seen where a way leads from, not long ago.

The rest of the site need not be looked at, so a decision costs the same on a large site.
"""

import math
from collections.abc import Iterable

from trackers.association.identity import Identity
from trackers.association.topology import (
    Passage,
    Topology,
    in_two_places,
    later_of,
    way_evidence,
)
from trackers.tracklet import Tracklet


class Candidates:
    """People by the camera that saw them last. Tell it of every tracklet that becomes theirs."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._last: dict[int, Tracklet] = {}
        # Each with a time after which neither they nor those before them in the dict were seen.
        # Under "" are those of whose camera nothing is known: they may be anywhere.
        self._at: dict[str, dict[int, tuple[float, Tracklet]]] = {}
        self._marks: dict[str, float] = {}

    def see(self, global_id: int, tracklet: Tracklet) -> None:
        """Take a tracklet of this person, or a newer revision of one."""
        known = self._last.get(global_id)
        last = tracklet if known is None else later_of(known, tracklet)
        if known is not None:
            del self._at[self._place(known)][global_id]
        place = self._place(last)
        self._last[global_id] = last
        self._marks[place] = max(self._marks.get(place, -math.inf), last.end)
        self._at.setdefault(place, {})[global_id] = self._marks[place], last

    def forget(self, global_id: int) -> None:
        """Leave a person out."""
        last = self._last.pop(global_id)
        del self._at[self._place(last)][global_id]

    def of(self, tracklets: Iterable[Tracklet]) -> list[int]:
        """The global ids, in order, of all whom one of ``tracklets`` can show, and few others."""
        return sorted(set().union(*(self._of_one(tracklet) for tracklet in tracklets)))

    def way(self, tracklet: Tracklet, identity: Identity) -> float:
        """Log-odds from where this person was seen last; -inf when it is impossible.

        That is too far to come from, or at one moment where no two cameras overlap.
        """
        evidence = way_evidence(tracklet, self._last[identity.global_id], self._topology)
        if evidence == -math.inf or identity.last_seen < tracklet.start:
            return evidence
        members = identity.members.values()
        twice = any(in_two_places(tracklet, member, self._topology) for member in members)
        return -math.inf if twice else evidence

    def _of_one(self, tracklet: Tracklet) -> Iterable[int]:
        if not self._topology.knows(tracklet.camera_id):
            return self._last.keys()
        ways = self._topology.passages[tracklet.camera_id]
        found = list(self._at.get("", ()))
        for camera_id in self._topology.near(tracklet.camera_id):
            earliest, latest = _left_between(tracklet, ways.get(camera_id))
            for global_id, (mark, last) in reversed(self._at.get(camera_id, {}).items()):
                if mark < earliest:
                    break
                if earliest <= last.end <= latest or last.start > tracklet.start:
                    found.append(global_id)
        return found

    def _place(self, tracklet: Tracklet) -> str:
        return tracklet.camera_id if self._topology.knows(tracklet.camera_id) else ""


def _left_between(tracklet: Tracklet, passage: Passage | None) -> tuple[float, float]:
    """When those left, at the earliest and at the latest, who come by the passage."""
    if passage is None:
        return tracklet.start, -math.inf
    return tracklet.start - passage.longest_s, tracklet.start - passage.shortest_s
