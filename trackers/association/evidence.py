"""What tracklets say of being one person, for judging whole sets of them.

The same ways, places and looks as when the association decides second by second, but of tracklets:
who came after whom, who cannot be whom, and how alike they look.
"""

import math
from collections.abc import Sequence

from trackers.association.appearance import Appearance, Population
from trackers.association.decision import Rules, log_odds
from trackers.association.identity import appearance_of
from trackers.association.motion import comparable, exclusive, motion_evidence
from trackers.association.topology import Topology, in_two_places
from trackers.tracklet import Tracklet
from trackers.tracklet import TrackletKey as Key


class Evidence:
    """How closed tracklets look is kept; `forget` those that are of no more use.

    Call `begin` before each use: what was learnt since counts.
    """

    def __init__(self, rules: Rules, topology: Topology, population: Population) -> None:
        self._rules = rules
        self._topology = topology
        self._population = population
        self._epoch = -1
        self._looks: dict[Key, Appearance | None] = {}
        self._ways: dict[tuple[Key, Key], float] = {}
        self._places: dict[tuple[Key, Key], float] = {}
        self._least = log_odds(rules.min_confidence)

    def begin(self) -> None:
        """Forget what was said before something was learnt."""
        if self._epoch != self._population.epoch:
            self._looks.clear()
        self._epoch = self._population.epoch
        self._ways.clear()
        self._places.clear()

    def forget(self, key: Key) -> None:
        """Leave a tracklet out."""
        self._looks.pop(key, None)

    def way(self, earlier: Tracklet, later: Tracklet) -> float:
        """Log-odds that who was ``earlier`` was next seen as ``later``; -inf when impossible.

        One that has faded says nothing.
        """
        pair = earlier.key, later.key
        found = self._ways.get(pair)
        if found is None:
            found = self._ways[pair] = self._way(earlier, later)
        return found

    def _way(self, earlier: Tracklet, later: Tracklet) -> float:
        if not len(earlier.path) or not len(later.path):
            return 0.0
        gap_s = later.start - earlier.end
        way = self._topology.evidence(earlier.camera_id, later.camera_id, gap_s)
        return way - self._least

    def likeliest(self, later: Tracklet, earlier: Sequence[Tracklet], most: int) -> list[Key]:
        """The ``most`` of ``earlier`` who, by way and looks, were next seen as ``later``."""
        # There are many: none of this is kept.
        ways = [(other, way) for other in earlier if (way := self._way(other, later)) > -math.inf]
        if len(ways) <= most:
            return [other.key for other, _ in ways]
        found = {other.key: way for other, way in ways}
        look = self._look(later)
        if look is not None:
            looks = [(o.key, theirs) for o, _ in ways if (theirs := self._look(o)) is not None]
            said = self._population.evidence(look, [theirs for _, theirs in looks])
            for (key, _), evidence in zip(looks, said.tolist(), strict=True):
                found[key] += evidence
        return sorted(found, key=lambda key: (-found[key], key))[:most]

    def place(self, earlier: Tracklet, later: Tracklet) -> float:
        """Log-odds that who was ``earlier`` was seen there as ``later``; -inf when impossible.

        Both are of one camera, or on the ground.
        """
        pair = earlier.key, later.key
        found = self._places.get(pair)
        if found is None:
            found = self._places[pair] = motion_evidence(earlier, later, self._rules.limits)
        return found

    def possible(self, a: Tracklet, b: Tracklet) -> bool:
        """Whether the two break no hard rule, whoever was seen between them."""
        if a.end < b.start or b.end < a.start:
            # Later in one camera is possible only when the earlier is over.
            return not exclusive(a, b)
        if exclusive(a, b) or in_two_places(a, b, self._topology):
            return False
        return not comparable(a, b) or self.place(a, b) > -math.inf

    def looks(self, members: Sequence[Tracklet]) -> float:
        """Log-odds that ``members``, in their order, look like one person; alone one says 0."""
        found = [(self._look(member), member.camera_id) for member in members]
        seen = [(look, camera_id) for look, camera_id in found if look is not None]
        return self._population.evidence_in_order(
            [look for look, _ in seen], [camera_id for _, camera_id in seen]
        )

    def _look(self, tracklet: Tracklet) -> Appearance | None:
        if tracklet.key not in self._looks:
            self._looks[tracklet.key] = appearance_of(tracklet, self._population)
        return self._looks[tracklet.key]
