"""A person as the association knows them: the tracklets that are theirs."""

from collections.abc import Set
from dataclasses import dataclass, field, replace

import numpy as np

from trackers.association.appearance import (
    Appearance,
    Population,
    Vector,
    joined,
    unit,
)
from trackers.association.motion import (
    Limits,
    comparable,
    most_in_picture,
    motion_evidence,
    overlap_in_time,
)
from trackers.tracklet import Tracklet, TrackletKey

# An appearance, and the epoch of the population it was computed with.
_EpochAppearance = tuple[int, Appearance | None]


@dataclass(slots=True)
class Identity:
    """A person. ``members`` are their tracklets, by key; add them with `update` only.

    ``last_seen`` is the time of the last observation, seconds UTC.
    """

    global_id: int
    members: dict[TrackletKey, Tracklet] = field(default_factory=dict)
    last_seen: float = -np.inf
    _cameras: set[str] = field(default_factory=set)
    _appearance: _EpochAppearance | None = None

    @property
    def cameras(self) -> Set[str]:
        """Where this person was seen; do not change it."""
        return self._cameras

    def update(self, tracklet: Tracklet) -> None:
        """Add a tracklet of this person, or a newer revision of one."""
        known = self.members.get(tracklet.key)
        self.members[tracklet.key] = tracklet
        if known is None:
            # By key, so that nothing depends on the order in which they came.
            self.members = dict(sorted(self.members.items()))
            self._cameras.add(tracklet.camera_id)
        self.last_seen = max(self.last_seen, tracklet.end)
        if known is None or known.exemplar_times.tobytes() != tracklet.exemplar_times.tobytes():
            self._appearance = None

    def appearance(self, population: Population) -> Appearance | None:
        """The appearance over all members; None without exemplars."""
        if self._appearance is None or self._appearance[0] != population.epoch:
            seen = [population.of(member) for member in self.members.values()]
            found = joined([appearance for appearance in seen if appearance is not None])
            self._appearance = population.epoch, found
        return self._appearance[1]

    def direction(self, population: Population) -> Vector | None:
        """The mean direction of the members, a unit vector ``(D,)``; None without exemplars."""
        seen = [m for m in self.members.values() if len(m.exemplars)]
        if not seen:
            return None
        return unit(np.sum([population.direction(m) for m in seen], axis=0))

    def directions(self, population: Population) -> dict[str, Vector]:
        """The same for each camera."""
        found: dict[str, list[Vector]] = {}
        for member in self.members.values():
            if len(member.exemplars):
                found.setdefault(member.camera_id, []).append(population.direction(member))
        return {name: unit(np.sum(seen, axis=0)) for name, seen in found.items()}

    def appearances(self, population: Population) -> dict[str, Appearance]:
        """The appearance in each camera."""
        found: dict[str, list[Appearance]] = {}
        for member in self.members.values():
            appearance = population.of(member)
            if appearance is not None:
                found.setdefault(member.camera_id, []).append(appearance)
        return {name: one for name, seen in found.items() if (one := joined(seen)) is not None}

    def place_evidence(self, tracklet: Tracklet, limits: Limits) -> float:
        """Log-odds from place and time that ``tracklet`` is this person; -inf when impossible.

        The evidence of members seen at the same time is averaged; of the others the nearest in time
        counts.
        """
        if tracklet.ground is None and tracklet.camera_id not in self._cameras:
            return 0.0
        together: list[float] = []
        apart: list[tuple[float, float]] = []
        for member in self._comparable(tracklet):
            evidence = motion_evidence(tracklet, member, limits)
            if evidence == -np.inf:
                return evidence
            # 0 is no evidence; it must not hide that of another member.
            if evidence != 0 and overlap_in_time(tracklet, member):
                together.append(evidence)
            elif evidence != 0:
                gap = max(tracklet.start - member.end, member.start - tracklet.end)
                apart.append((gap, evidence))
        seen_together = sum(together) / len(together) if together else 0.0
        return seen_together + (min(apart)[1] if apart else 0.0)

    def _comparable(self, tracklet: Tracklet) -> list[Tracklet]:
        """The members whose place is evidence."""
        members, camera_id = self.members.values(), tracklet.camera_id
        if tracklet.ground is None:
            # As `comparable`, which takes longer for all of them.
            return [member for member in members if member.camera_id == camera_id]
        return [member for member in members if comparable(tracklet, member)]

    def place_bound(self, tracklet: Tracklet) -> float:
        """At least `place_evidence`, without a look at the places."""
        if tracklet.ground is not None:
            return np.inf
        if tracklet.camera_id not in self._cameras:
            return 0.0
        return most_in_picture(tracklet.start - self.last_seen)

    def fade(self, before: float) -> list[TrackletKey]:
        """Drop exemplars and paths of the members that ended before this moment, seconds UTC.

        Returns those that had any. Their cameras and times are kept, for the hard rules. A member
        that is still open by then will not be continued: its camera broke down.
        """
        faded = [key for key, m in self.members.items() if m.end < before and len(m.path)]
        for key in faded:
            self.members[key] = _faded(self.members[key])
            self._appearance = None
        return faded


def _faded(tracklet: Tracklet) -> Tracklet:
    return replace(
        tracklet,
        closed=True,
        exemplars=np.zeros((0, 0), np.float32),
        qualities=np.zeros(0, np.float32),
        exemplar_times=np.zeros(0),
        path=np.zeros((0, 4)),
        ground=None,
    )
