"""Transitions between cameras, learned while running from links between tracklets.

Each camera keeps the last people who were seen again after they left it. The transitions from it
are fitted to these, and to those in the opposite direction, every few people.
"""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from trackers.association.appearance import Population
from trackers.association.topology import (
    AT_ONE_TIME,
    PACE_SPREAD,
    TOUCH_S,
    Topology,
    Transition,
    broken_track,
)
from trackers.association.topology_evidence import KEPT_S, Link, Links
from trackers.tracklet import GROUND, Tracklet, TrackletKey

#: The transitions of a camera are known after this many links from or to it.
KNOWN_AFTER = 8
#: Older links are forgotten: a door is closed, a corridor is opened.
REMEMBERED = 200
# The transitions from a camera are fitted again after this many links.
_EVERY = 5
# A single link may be wrong.
_FEWEST = 2
# The usual spread of pace counts as this many people on every transition.
_PRESUMED = 10.0
_LEAST_SPREAD = 0.15
# From the median absolute deviation to the standard deviation of a normal distribution.
_NORMAL = 1.4826

#: The camera of the next sighting, and the seconds to it.
Departure = tuple[str, float]
Memory = dict[str, Any]


@dataclass(slots=True)
class _Camera:
    """The last ``departures``; ``fresh`` of them are newer than ``transitions`` (None: unknown),
    which were learned from ``learned_from``."""

    departures: list[Departure] = field(default_factory=list)
    fresh: int = 0
    transitions: dict[str, Transition] | None = None
    learned_from: int = 0

    def gaps_to(self, later: str) -> list[float]:
        return [gap_s for camera_id, gap_s in self.departures if camera_id == later]


class LearnedTopology:
    """Learns ``topology``: `add` every closed tracklet, then `learn` at each moment.

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
        #: End of the last tracklet where transitions are not given; kept over a restart.
        self.needed = -math.inf

    def add(self, tracklet: Tracklet) -> None:
        """Add a revision of a tracklet; only closed ones count."""
        if _is_informative(tracklet):
            self._closed.append(tracklet)
            if not self._topology.is_given(tracklet.camera_id):
                self.needed = max(self.needed, tracklet.end)

    def restore(self, tracklet: Tracklet) -> None:
        """Restore a tracklet; a closed one was learned from before the restart."""
        if _is_informative(tracklet):
            self._links.add([tracklet], -math.inf)

    def forget(self, keys: Collection[TrackletKey]) -> None:
        """Drop the embeddings of tracklets."""
        self._links.drop(keys)

    def learn(self, at: float, population: Population) -> None:
        """Learn from the added tracklets, at the moment ``at``, seconds UTC."""
        closed, self._closed = sorted(self._closed, key=lambda t: t.key), []
        if self.needed < at - self._kept_s:
            self._links.add(closed, at)
            return
        for link in self._links.of(closed, at, population):
            self.add_link(link)

    def add_link(self, link: Link) -> None:
        """Learn from one link."""
        camera = self._cameras.setdefault(link.earlier, _Camera())
        camera.departures.append((link.later, link.gap_s))
        camera.fresh += 1
        self._arrivals[link.later] += 1
        self._changed.add(link.earlier)
        if len(camera.departures) > REMEMBERED:
            self._arrivals[camera.departures.pop(0)[0]] -= 1
        for camera_id in sorted({link.earlier, link.later}):
            self._fit(camera_id)

    def pop_changed(self) -> dict[str, Memory]:
        """The state of each camera that has changed since the last call, for a restart."""
        changed, self._changed = sorted(self._changed), set()
        return {camera_id: _memory(self._cameras[camera_id]) for camera_id in changed}

    def remember(self, camera_id: str, memory: Memory) -> None:
        """Restore what `pop_changed` returned of a camera."""
        camera = self._cameras[camera_id] = _remembered(memory)
        self._arrivals.update(later for later, _ in camera.departures)
        if camera.transitions is not None:
            self._topology.learn(camera_id, camera.transitions, camera.learned_from)

    def _fit(self, camera_id: str) -> None:
        """Fit the transitions from a camera, when it has enough links and enough new ones."""
        camera = self._cameras.setdefault(camera_id, _Camera())
        seen = len(camera.departures) + self._arrivals[camera_id]
        known = seen >= KNOWN_AFTER or self._topology.is_given(camera_id)
        if not known or (camera.transitions is not None and camera.fresh < _EVERY):
            return
        camera.fresh = 0
        camera.transitions = self._transitions_from(camera_id, camera)
        camera.learned_from = len(camera.departures)
        self._topology.learn(camera_id, camera.transitions, camera.learned_from)
        self._changed.add(camera_id)

    def _transitions_from(self, camera_id: str, camera: _Camera) -> dict[str, Transition]:
        """Transitions by later camera; links in the opposite direction have the same times."""
        counts = Counter(later for later, _ in camera.departures)
        transitions = {}
        for later, count in sorted(counts.items()):
            gaps = camera.gaps_to(later)
            if later != camera_id and later in self._cameras:
                gaps += self._cameras[later].gaps_to(camera_id)
            if len(gaps) >= _FEWEST:
                share = (count + 1) / (len(camera.departures) + len(counts))
                transitions[later] = _fitted(share, gaps)
        transitions[camera_id] = broken_track()
        return transitions


def _is_informative(tracklet: Tracklet) -> bool:
    return tracklet.closed and len(tracklet.exemplars) > 0 and tracklet.camera_id != GROUND


def _fitted(share: float, gaps: list[float]) -> Transition:
    """The transition fitted to gaps, at least two."""
    together = sum(gap_s < -TOUCH_S for gap_s in gaps)
    if together >= max(_FEWEST, AT_ONE_TIME * len(gaps)):
        return Transition(share, 0.0, overlaps=True)
    walks = [max(gap_s, 0.0) for gap_s in gaps if gap_s >= -TOUCH_S]
    typical_s = median(walks)
    middle = math.log(typical_s + TOUCH_S)
    off = _NORMAL * median(abs(math.log(walk_s + TOUCH_S) - middle) for walk_s in walks)
    variance = (len(walks) * off**2 + _PRESUMED * PACE_SPREAD**2) / (len(walks) + _PRESUMED)
    return Transition(share, typical_s, spread=max(math.sqrt(variance), _LEAST_SPREAD))


def _memory(camera: _Camera) -> Memory:
    transitions = camera.transitions
    return {
        "departures": list(camera.departures),
        "fresh": camera.fresh,
        "learnt_from": camera.learned_from,
        "ways": transitions
        and [
            [later, w.share, w.typical_s, w.overlaps, w.spread] for later, w in transitions.items()
        ],
    }


def _remembered(memory: Memory) -> _Camera:
    transitions = memory["ways"]
    return _Camera(
        [(later, gap_s) for later, gap_s in memory["departures"]],
        memory["fresh"],
        None
        if transitions is None
        else {later: Transition(*values) for later, *values in transitions},
        memory["learnt_from"],
    )
