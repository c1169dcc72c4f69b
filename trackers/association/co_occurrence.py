"""Who was in one camera at one time: two such tracks are surely two people."""

import math
from typing import NamedTuple

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
