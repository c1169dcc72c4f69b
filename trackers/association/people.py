"""Everybody who is known: whose each tracklet is, and where people were seen."""

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackers.association.candidates import Candidates
from trackers.association.decision import CONFIRMED, PROBABLE
from trackers.association.motion import (
    Limits,
    comparable,
    exclusive,
    motion_evidence,
    overlap_in_time,
)
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet, TrackletKey


class _Stay(NamedTuple):
    """``mark``: neither this stay nor those that were told of before it ended later."""

    global_id: int
    start: float
    end: float
    mark: float


class Presence:
    """When decided tracklets were where, so that nobody looks through all people of a site."""

    def __init__(self) -> None:
        self._stays: dict[str, dict[TrackletKey, _Stay]] = {}
        self._marks: dict[str, float] = {}

    def see(self, global_id: int, tracklet: Tracklet) -> None:
        """Take a tracklet of this person, or a newer revision of one."""
        camera_id = tracklet.camera_id
        stays = self._stays.setdefault(camera_id, {})
        stays.pop(tracklet.key, None)
        mark = self._marks[camera_id] = max(self._marks.get(camera_id, -math.inf), tracklet.end)
        stays[tracklet.key] = _Stay(global_id, tracklet.start, tracklet.end, mark)

    def forget(self, key: TrackletKey) -> None:
        """Leave a tracklet out."""
        del self._stays[key[0]][key]

    def beside(self, tracklet: Tracklet) -> list[tuple[int, TrackletKey]]:
        """Those in the same camera at one moment, the exact end included: global id and key."""
        found = []
        for key, stay in reversed(self._stays.get(tracklet.camera_id, {}).items()):
            if stay.mark < tracklet.start:
                break
            if stay.start <= tracklet.end and tracklet.start <= stay.end:
                found.append((stay.global_id, key))
        return sorted(found)


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


class People:
    """Identities by global id, and all that has to follow when a tracklet becomes somebody's."""

    def __init__(self, topology: Topology) -> None:
        self.identities: dict[int, Identity] = {}
        self._topology = topology
        self.candidates = Candidates(topology)
        self.presence = Presence()
        self.next_global_id = 1
        self._owner: dict[TrackletKey, int] = {}
        self._confirmed: set[TrackletKey] = set()

    def owner(self, key: TrackletKey) -> int | None:
        """The global id of a track, None when it has none."""
        return self._owner.get(key)

    def state(self, key: TrackletKey) -> str:
        """Whether it is confirmed who a track is."""
        return CONFIRMED if key in self._confirmed else PROBABLE

    def confirm(self, key: TrackletKey) -> None:
        """From now on it is confirmed, until the track becomes somebody else's."""
        self._confirmed.add(key)

    def tracklet(self, key: TrackletKey) -> Tracklet | None:
        """The last known revision of a track that is somebody's."""
        owner = self._owner.get(key)
        return None if owner is None else self.identities[owner].members[key]

    def join(self, tracklet: Tracklet, global_id: int) -> None:
        """A tracklet becomes a person's, who may be new."""
        self._owner[tracklet.key] = global_id
        self.next_global_id = max(self.next_global_id, global_id + 1)
        self.identities.setdefault(global_id, Identity(global_id))
        self.see(tracklet)

    def see(self, tracklet: Tracklet) -> None:
        """Take a newer revision of a tracklet that is somebody's."""
        global_id = self._owner[tracklet.key]
        self.identities[global_id].see(tracklet)
        self.candidates.see(global_id, tracklet)
        self.presence.see(global_id, tracklet)

    def regroup(self, owner: Mapping[TrackletKey, int]) -> None:
        """The tracklets of ``owner`` become those people's, and are no longer confirmed."""
        ids = {*(self._owner[key] for key in owner), *owner.values()}
        touched = sorted(global_id for global_id in ids if global_id in self.identities)
        members: list[Tracklet] = []
        for global_id in touched:
            members += self.identities.pop(global_id).members.values()
            self.candidates.forget(global_id)
        self._confirmed -= owner.keys()
        for tracklet in sorted(members, key=lambda t: (t.end, t.key)):
            self.join(tracklet, owner.get(tracklet.key, self._owner[tracklet.key]))

    def has_ways(self, global_id: int) -> bool:
        """Whether the ways to and from every camera that saw this person are known."""
        return all(self._topology.knows(name) for name in self.identities[global_id].cameras)

    def without_ways(self) -> list[int]:
        """The others, in order."""
        return sorted(global_id for global_id in self.identities if not self.has_ways(global_id))

    def forget(self, global_ids: Iterable[int]) -> list[TrackletKey]:
        """Leave people out; returns their tracks."""
        gone: list[TrackletKey] = []
        for global_id in global_ids:
            gone += self.identities.pop(global_id).members
            self.candidates.forget(global_id)
        for key in gone:
            del self._owner[key]
            self.presence.forget(key)
        self._confirmed -= {*gone}
        return gone

    def fade(self, before: float) -> list[TrackletKey]:
        """Let go of looks and paths older than this moment, seconds UTC; returns whose."""
        old = [i for i in self.identities.values() if i.fades_after < before]
        return [key for identity in old for key in identity.fade(before)]
