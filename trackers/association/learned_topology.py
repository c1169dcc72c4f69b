"""The ways between cameras, learnt while running from who was seen again where, and when.

Each camera remembers the last people who were seen again after they left it. The ways from it are
worked out from these, and from those who came the other way, every few people.
"""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from trackers.association.appearance import Population
from trackers.association.topology import PACE_SPREAD, TOUCH_S, Topology, Transition, broken_track
from trackers.association.topology_evidence import KEPT_S, Link, Links
from trackers.tracklet import GROUND, Tracklet, TrackletKey

#: A camera is known when as many were seen again who left it or came to it.
KNOWN_AFTER = 8
#: Older ones are forgotten: a door is closed, a corridor is opened.
REMEMBERED = 200
# The ways from a camera are worked out anew after as many.
_EVERY = 5
# Once may be a mistake.
_FEWEST = 2
# Of those who take a way, as many are seen by both cameras at one time where these overlap.
_OVERLAPPING = 0.2
# As many people who differ in pace as usual are presumed on every way.
_PRESUMED = 10.0
_LEAST_SPREAD = 0.15
# From the median absolute deviation to the standard deviation of a normal distribution.
_NORMAL = 1.4826

#: Where somebody was seen again, and the seconds to there.
Departure = tuple[str, float]
Memory = dict[str, Any]


@dataclass(slots=True)
class _Camera:
    """The last ``departures``, how many of them are newer than the ``ways``, None: not known, and
    from how many those are."""

    departures: list[Departure] = field(default_factory=list)
    fresh: int = 0
    ways: dict[str, Transition] | None = None
    learnt_from: int = 0

    def gaps_to(self, later: str) -> list[float]:
        return [gap_s for camera_id, gap_s in self.departures if camera_id == later]


class LearnedTopology:
    """Teaches ``topology``. Tell it of every closed tracklet, then let it learn at each moment.

    Tracklets that ended more than ``kept_s`` ago need not be restored.
    """

    def __init__(self, topology: Topology, kept_s: float) -> None:
        self._topology = topology
        self._links = Links(kept_s)
        self._cameras: dict[str, _Camera] = {}
        self._arrivals: Counter[str] = Counter()
        self._closed: list[Tracklet] = []
        self._changed: set[str] = set()
        self._kept_s = min(kept_s, KEPT_S)
        #: When somebody was last seen where the ways are not given; it outlives a restart.
        self.needed = -math.inf

    def take(self, tracklet: Tracklet) -> None:
        """Take a tracklet that was closed just now."""
        if _tells(tracklet):
            self._closed.append(tracklet)
            if not self._topology.is_given(tracklet.camera_id):
                self.needed = max(self.needed, tracklet.end)

    def restore(self, tracklet: Tracklet) -> None:
        """Put back a tracklet; one that was closed was learnt from before the restart."""
        if _tells(tracklet):
            self._links.add([tracklet], -math.inf)

    def forget(self, keys: Collection[TrackletKey]) -> None:
        """Let go of the looks of tracklets."""
        self._links.drop(keys)

    def learn(self, at: float, population: Population) -> None:
        """Learn from what was taken, at the moment ``at``, seconds UTC."""
        closed, self._closed = sorted(self._closed, key=lambda t: t.key), []
        if self.needed < at - self._kept_s:
            self._links.add(closed, at)
            return
        for link in self._links.of(closed, at, population):
            self.see(link)

    def see(self, link: Link) -> None:
        """Learn that somebody took a way."""
        camera = self._cameras.setdefault(link.earlier, _Camera())
        camera.departures.append((link.later, link.gap_s))
        camera.fresh += 1
        self._arrivals[link.later] += 1
        self._changed.add(link.earlier)
        if len(camera.departures) > REMEMBERED:
            self._arrivals[camera.departures.pop(0)[0]] -= 1
        for camera_id in sorted({link.earlier, link.later}):
            self._work_out(camera_id)

    def take_changed(self) -> dict[str, Memory]:
        """What a restart needs to know of each camera of which something was learnt since asked."""
        changed, self._changed = sorted(self._changed), set()
        return {camera_id: _memory(self._cameras[camera_id]) for camera_id in changed}

    def remember(self, camera_id: str, memory: Memory) -> None:
        """Take back what `take_changed` gave of a camera."""
        camera = self._cameras[camera_id] = _remembered(memory)
        self._arrivals.update(later for later, _ in camera.departures)
        if camera.ways is not None:
            self._topology.learn(camera_id, camera.ways, camera.learnt_from)

    def _work_out(self, camera_id: str) -> None:
        """The ways from a camera, when it is known and enough is new."""
        camera = self._cameras.setdefault(camera_id, _Camera())
        seen = len(camera.departures) + self._arrivals[camera_id]
        known = seen >= KNOWN_AFTER or self._topology.is_given(camera_id)
        if not known or (camera.ways is not None and camera.fresh < _EVERY):
            return
        camera.fresh = 0
        camera.ways = self._ways_from(camera_id, camera)
        camera.learnt_from = len(camera.departures)
        self._topology.learn(camera_id, camera.ways, camera.learnt_from)
        self._changed.add(camera_id)

    def _ways_from(self, camera_id: str, camera: _Camera) -> dict[str, Transition]:
        """Who went the other way took as long."""
        counts = Counter(later for later, _ in camera.departures)
        ways = {}
        for later, count in sorted(counts.items()):
            gaps = camera.gaps_to(later)
            if later != camera_id and later in self._cameras:
                gaps += self._cameras[later].gaps_to(camera_id)
            if len(gaps) >= _FEWEST:
                share = (count + 1) / (len(camera.departures) + len(counts))
                ways[later] = _passage(share, gaps)
        ways[camera_id] = broken_track()
        return ways


def _tells(tracklet: Tracklet) -> bool:
    return tracklet.closed and len(tracklet.exemplars) > 0 and tracklet.camera_id != GROUND


def _passage(share: float, gaps: list[float]) -> Transition:
    """The way that people took with these gaps, two at least."""
    together = sum(gap_s < -TOUCH_S for gap_s in gaps)
    if together >= max(_FEWEST, _OVERLAPPING * len(gaps)):
        return Transition(share, 0.0, overlaps=True)
    walks = [max(gap_s, 0.0) for gap_s in gaps if gap_s >= -TOUCH_S]
    typical_s = median(walks)
    middle = math.log(typical_s + TOUCH_S)
    off = _NORMAL * median(abs(math.log(walk_s + TOUCH_S) - middle) for walk_s in walks)
    variance = (len(walks) * off**2 + _PRESUMED * PACE_SPREAD**2) / (len(walks) + _PRESUMED)
    return Transition(share, typical_s, spread=max(math.sqrt(variance), _LEAST_SPREAD))


def _memory(camera: _Camera) -> Memory:
    ways = camera.ways
    return {
        "departures": [list(departure) for departure in camera.departures],
        "fresh": camera.fresh,
        "learnt_from": camera.learnt_from,
        "ways": ways
        and [[later, w.share, w.typical_s, w.overlaps, w.spread] for later, w in ways.items()],
    }


def _remembered(memory: Memory) -> _Camera:
    ways = memory["ways"]
    return _Camera(
        [(later, gap_s) for later, gap_s in memory["departures"]],
        memory["fresh"],
        None if ways is None else {later: Transition(*values) for later, *values in ways},
        memory["learnt_from"],
    )
