"""All known people: the owner of each tracklet, and where people were seen."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trackers.association.age_queue import AgeQueue
from trackers.association.candidates import Candidates
from trackers.association.decision import CONFIRMED, PROBABLE
from trackers.association.fixed import Fixed
from trackers.association.identity import Identity
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet, TrackletKey


class _Stay(NamedTuple):
    """``mark``: neither this stay nor those added before it ended later."""

    global_id: int
    start: float
    end: float
    mark: float


class Presence:
    """Decided tracklets by camera and time, to find those at one time without a full search."""

    def __init__(self) -> None:
        self._stays: dict[str, dict[TrackletKey, _Stay]] = {}
        self._marks: dict[str, float] = {}

    @property
    def cameras(self) -> list[str]:
        """The cameras that saw people."""
        return [camera_id for camera_id, stays in self._stays.items() if stays]

    def update(self, global_id: int, tracklet: Tracklet) -> None:
        """Add a tracklet of this person, or a newer revision of one."""
        camera_id = tracklet.camera_id
        stays = self._stays.setdefault(camera_id, {})
        stays.pop(tracklet.key, None)
        mark = self._marks[camera_id] = max(self._marks.get(camera_id, -math.inf), tracklet.end)
        stays[tracklet.key] = _Stay(global_id, tracklet.start, tracklet.end, mark)

    def of_camera(self, camera_id: str) -> list[tuple[int, TrackletKey]]:
        """All in one camera: global id and key."""
        return [(stay.global_id, key) for key, stay in self._stays.get(camera_id, {}).items()]

    def forget(self, key: TrackletKey) -> None:
        """Remove a tracklet."""
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


class People:
    """Identities by global id; keeps candidates and presence consistent with them."""

    def __init__(self, topology: Topology) -> None:
        self.identities: dict[int, Identity] = {}
        self.candidates = Candidates(topology)
        self.presence = Presence()
        self.fixed = Fixed()
        self.next_global_id = 1
        self._owner: dict[TrackletKey, int] = {}
        self._confirmed: set[TrackletKey] = set()
        #: When anyone was seen last, seconds UTC; -inf without people.
        self.latest = -math.inf
        self._last_seen: AgeQueue[int] = AgeQueue()
        # Tracks that have not faded, by their end.
        self._vivid: AgeQueue[TrackletKey] = AgeQueue()

    @property
    def tracks(self) -> int:
        """The number of tracks with an owner."""
        return len(self._owner)

    def owner(self, key: TrackletKey) -> int | None:
        """The global id of a track, None when it has none."""
        return self._owner.get(key)

    def fixed_owner(self, key: TrackletKey) -> int | None:
        """The global id of a track that a correction holds, None for any other."""
        return self._owner.get(key) if key in self.fixed else None

    def state(self, key: TrackletKey) -> str:
        """Whether the owner of a track is confirmed or probable."""
        return CONFIRMED if key in self._confirmed else PROBABLE

    def confirm(self, key: TrackletKey) -> None:
        """Confirm the owner of a track, until it changes."""
        self._confirmed.add(key)

    def doubt(self, key: TrackletKey) -> None:
        """The owner of a track is probable again."""
        self._confirmed.discard(key)

    def tracklet(self, key: TrackletKey) -> Tracklet | None:
        """The last known revision of a track with an owner, else None."""
        owner = self._owner.get(key)
        return None if owner is None else self.identities[owner].members[key]

    def seen_by(self, camera_id: str) -> list[Tracklet]:
        """The last known revisions of all tracks of a camera that have an owner."""
        here = self.presence.of_camera(camera_id)
        return [self.identities[global_id].members[key] for global_id, key in here]

    def join(self, tracklet: Tracklet, global_id: int) -> None:
        """Assign a tracklet to a person, who may be new."""
        self._owner[tracklet.key] = global_id
        self.next_global_id = max(self.next_global_id, global_id + 1)
        self.identities.setdefault(global_id, Identity(global_id))
        self.update(tracklet)

    def update(self, tracklet: Tracklet) -> None:
        """Add a newer revision of a tracklet with an owner."""
        global_id = self._owner[tracklet.key]
        identity = self.identities[global_id]
        identity.update(tracklet)
        self.latest = max(self.latest, tracklet.end)
        self._last_seen.put(global_id, identity.last_seen)
        self._vivid.put(tracklet.key, tracklet.end)
        self.candidates.update(global_id, tracklet)
        self.presence.update(global_id, tracklet)

    def regroup(self, owner: Mapping[TrackletKey, int]) -> None:
        """Assign tracklets to the people of ``owner``; they are no longer confirmed."""
        ids = {*(self._owner[key] for key in owner), *owner.values()}
        touched = sorted(global_id for global_id in ids if global_id in self.identities)
        members: list[Tracklet] = []
        for global_id in touched:
            members += self.identities.pop(global_id).members.values()
            self.candidates.forget(global_id)
            self._last_seen.drop(global_id)
        self._confirmed.difference_update(owner)
        for tracklet in sorted(members, key=lambda t: (t.end, t.key)):
            self.join(tracklet, owner.get(tracklet.key, self._owner[tracklet.key]))

    def forget(self, global_ids: Iterable[int]) -> list[TrackletKey]:
        """Remove people; returns their tracks."""
        people = [self.identities.pop(global_id) for global_id in global_ids]
        for identity in people:
            self.candidates.forget(identity.global_id)
            self._last_seen.drop(identity.global_id)
        gone = [key for identity in people for key in identity.members]
        for key in gone:
            del self._owner[key]
            self.presence.forget(key)
            self._vivid.drop(key)
        if any(identity.last_seen == self.latest for identity in people):
            left = (identity.last_seen for identity in self.identities.values())
            self.latest = max(left, default=-math.inf)
        self._confirmed -= {*gone}
        self.fixed.drop(gone)
        return gone

    def fade(self, before: float) -> list[TrackletKey]:
        """Drop exemplars and paths older than this moment, seconds UTC; returns of which tracks."""
        owners = sorted({self._owner[key] for key in self._vivid.pop_before(before)})
        for owner in owners:
            self.candidates.change(owner)
        return [key for owner in owners for key in self.identities[owner].fade(before)]

    def pop_unseen(self, before: float) -> list[int]:
        """The people who were not seen since this moment, seconds UTC, to be forgotten now."""
        return self._last_seen.pop_before(before)
