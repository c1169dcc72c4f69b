"""A person as the association knows them: the tracklets that are theirs."""

from collections.abc import Set
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trackers.association.motion import (
    Limits,
    comparable,
    exclusive,
    motion_evidence,
    overlap_in_time,
)
from trackers.tracklet import Tracklet, TrackletKey

_GALLERY_SIZE = 32

#: Exemplars of a person from one camera, and from all others.
Galleries = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(slots=True)
class Identity:
    """A person. ``members`` are their tracklets, by name; add them with `see` only.

    ``last_seen`` is when the last observation was, ``fades_after`` a time before which no member
    ended that is still to fade; seconds UTC.
    """

    global_id: int
    members: dict[TrackletKey, Tracklet] = field(default_factory=dict)
    last_seen: float = -np.inf
    fades_after: float = np.inf
    _cameras: set[str] = field(default_factory=set)
    _galleries: dict[str, Galleries] = field(default_factory=dict)

    @property
    def cameras(self) -> Set[str]:
        """Where this person was seen; do not change it."""
        return self._cameras

    def see(self, tracklet: Tracklet) -> None:
        """Take a tracklet of this person, or a newer revision of one."""
        known = self.members.get(tracklet.key)
        self.members[tracklet.key] = tracklet
        if known is None:
            # By name, so that nothing depends on the order in which they came.
            self.members = dict(sorted(self.members.items()))
            self._cameras.add(tracklet.camera_id)
        self.last_seen = max(self.last_seen, tracklet.end)
        self.fades_after = min(self.fades_after, tracklet.end)
        if known is None or known.exemplar_times.tobytes() != tracklet.exemplar_times.tobytes():
            self._galleries.clear()

    def galleries(self, camera_id: str) -> Galleries:
        """``(M, D)`` exemplars from this camera, and from all others; the best of many."""
        # Every camera that has not seen this person asks for the same.
        name = camera_id if camera_id in self._cameras else ""
        if name not in self._galleries:
            members = self.members.values()
            here = [m for m in members if m.camera_id == camera_id] if name else []
            others = [m for m in members if m.camera_id != camera_id] if name else [*members]
            self._galleries[name] = _best_exemplars(here), _best_exemplars(others)
        return self._galleries[name]

    def place_evidence(self, tracklet: Tracklet, limits: Limits) -> float:
        """Log-odds from place and time that ``tracklet`` is this person; -inf when impossible.

        What the members seen at the same time say is averaged; of the others the nearest in time
        counts.
        """
        if tracklet.ground is None and tracklet.camera_id not in self._cameras:
            return 0.0
        members = [m for m in self.members.values() if comparable(tracklet, m)]
        if any(exclusive(tracklet, member) for member in members):
            return -np.inf
        together: list[float] = []
        apart: list[tuple[float, float]] = []
        for member in members:
            evidence = motion_evidence(tracklet, member, limits)
            if evidence == -np.inf:
                return evidence
            # 0 says nothing; it must not hide what another member says.
            if evidence != 0 and overlap_in_time(tracklet, member):
                together.append(evidence)
            elif evidence != 0:
                gap = max(tracklet.start - member.end, member.start - tracklet.end)
                apart.append((gap, evidence))
        seen_together = sum(together) / len(together) if together else 0.0
        return seen_together + (min(apart)[1] if apart else 0.0)

    def fade(self, before: float) -> list[TrackletKey]:
        """Drop looks and paths of the members that ended before this moment, seconds UTC.

        Returns those that had any.

        When they were where is kept: nobody is twice in one camera at one time, ever. One that
        is still open by then will not go on: its camera broke down.
        """
        faded = [key for key, m in self.members.items() if m.end < before and len(m.path)]
        for key in faded:
            self.members[key] = _faded(self.members[key])
            self._galleries.clear()
        vivid = (member.end for member in self.members.values() if len(member.path))
        self.fades_after = min(vivid, default=np.inf)
        return faded


def _best_exemplars(members: list[Tracklet]) -> NDArray[np.float32]:
    seen = [member for member in members if len(member.exemplars)]
    if not seen:
        return np.zeros((0, 0), np.float32)
    if len(seen) == 1 and len(seen[0].exemplars) <= _GALLERY_SIZE:
        return seen[0].exemplars
    exemplars = np.concatenate([member.exemplars for member in seen])
    if len(exemplars) <= _GALLERY_SIZE:
        return exemplars
    qualities = np.concatenate([member.qualities for member in seen])
    return exemplars[np.argsort(-qualities, kind="stable")[:_GALLERY_SIZE]]


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
