"""Which cameras lead to which, and how likely somebody who left one shows up at another now.

Ways are given in the site file, or learnt while running (`learned_links`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trackers.association.motion import overlap_in_time
from trackers.association.transitions import Transitions
from trackers.tracklet import Tracklet

# One stranger in so many seconds comes into the view of a camera.
_STRANGER_EVERY_S = 60.0
# A camera misses somebody who passes.
_MISSED = 0.1
# How long people stay in the view of a camera.
_STAY_S = 8.0
# A single-camera tracker loses somebody who is still there, or who turns back, and finds them soon.
_BROKEN, _BREAK_S = 0.2, 2.0
#: How much slower or faster than typical people walk, as a logarithm.
PACE_SPREAD = 0.35
# Some stop on the way.
_PAUSES, _PAUSE_S = 0.1, 90.0
#: Two clocks differ, and views touch: at one moment, and still not seen twice.
TOUCH_S = 1.0
# What is less likely than this is out of the question: appearance could not make up for it.
_HOPELESS = -4.5
_EDGE_S = 0.1
# As many people of whom it is learnt weigh as much as what is to be said of all ways.
_TRUST_PEOPLE = 8.0
_ROOT_2_PI = math.sqrt(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Transition:
    """A way between two views: the ``share`` of people who take it, and their typical seconds.

    ``overlaps`` says that both cameras may see a person at one time; ``spread`` by how much people
    differ in their seconds, as a logarithm. Nobody comes sooner than ``shortest_s`` after they
    left, or later than ``longest_s``.
    """

    share: float
    typical_s: float
    overlaps: bool = False
    spread: float = PACE_SPREAD
    shortest_s: float = field(init=False)
    longest_s: float = field(init=False)

    def __post_init__(self) -> None:
        # Before the mode, and after the median, it gets less and less likely.
        mode = (self.typical_s + TOUCH_S) * math.exp(-(self.spread**2)) - TOUCH_S
        shortest_s = -math.inf if self.overlaps else _edge(self, mode, -TOUCH_S)
        object.__setattr__(self, "shortest_s", shortest_s)
        object.__setattr__(self, "longest_s", _edge(self, max(self.typical_s, _BREAK_S), 3600.0))

    def evidence(self, gap_s: float) -> float:
        """Log-odds that who comes ``gap_s`` after somebody left is the same; -inf: hopeless.

        The gap is negative when both cameras saw them at one time.
        """
        likelihood = self.share * _density(self, gap_s) * _STRANGER_EVERY_S
        evidence = math.log(likelihood) if likelihood > 0 else -math.inf
        return evidence if evidence > _HOPELESS else -math.inf


class Topology:
    """``passages[later][earlier]``: how people come to ``later`` when last seen at ``earlier``.

    Cameras that are not known: nothing can be said about them. All ``passages`` that it begins
    with are given, and stay as they are.
    """

    def __init__(self, passages: Mapping[str, Mapping[str, Transition]] | None = None) -> None:
        self.passages = {later: dict(ways) for later, ways in (passages or {}).items()}
        self._given = frozenset(self.passages)
        self._known = set(self.passages)
        self._leads: dict[str, set[str]] = {}
        self._learnt_from: dict[str, int] = {}
        #: What is to be said of the others.
        self.transitions = Transitions()
        for later, ways in self.passages.items():
            for earlier in ways:
                self._leads.setdefault(earlier, set()).add(later)

    def learn(self, earlier: str, ways: Mapping[str, Transition], people: int) -> None:
        """Take ``ways`` from ``earlier``, by where they lead to, in place of those of before.

        So many ``people`` were seen to leave it.
        The camera is known from now on. Between two cameras with given ways nothing is learnt.
        """
        leads = self._leads.setdefault(earlier, set())
        for later in [later for later in leads if not self.is_given(earlier, later)]:
            del self.passages[later][earlier]
            leads.remove(later)
        for later, passage in ways.items():
            if not self.is_given(earlier, later):
                self.passages.setdefault(later, {})[earlier] = passage
                leads.add(later)
        self.passages.setdefault(earlier, {})
        self._known.add(earlier)
        self._learnt_from[earlier] = people

    def is_given(self, *camera_ids: str) -> bool:
        """Whether the ways between these cameras were given."""
        return self._given.issuperset(camera_ids)

    def near(self, camera_id: str) -> list[str]:
        """The cameras from which or to which a passage leads, this one included when it is."""
        return sorted({*self.passages[camera_id], *self._leads.get(camera_id, ())})

    def knows(self, camera_id: str) -> bool:
        """Whether the ways to and from this camera are known."""
        return camera_id in self._known

    def knows_all(self, camera_ids: Iterable[str]) -> bool:
        """Whether the ways to and from each of these are known."""
        return self._known.issuperset(camera_ids)

    def evidence(self, earlier: str, later: str, gap_s: float) -> float:
        """Log-odds that who left ``earlier`` is who came to ``later`` ``gap_s`` after that.

        The gap is negative when both saw them at one time. -inf when it is out of the question.
        """
        if not (self.knows(earlier) and self.knows(later)):
            return self.transitions.evidence(earlier, later, gap_s)
        passage = self.passages[later].get(earlier)
        every_s = self.transitions.newcomer_every_s * self.transitions.cameras
        usual = math.log(every_s / _STRANGER_EVERY_S)
        said = -math.inf if passage is None else passage.evidence(gap_s) + usual
        if self.is_given(earlier, later):
            return said
        # What was learnt from few counts as much as they are.
        people = self._learnt_from.get(earlier, 0)
        learnt = math.exp(said) * people if said > -math.inf else 0.0
        other = math.exp(self.transitions.evidence(earlier, later, gap_s)) * _TRUST_PEOPLE
        return math.log((learnt + other) / (people + _TRUST_PEOPLE))


def topology_of(walking_times: Mapping[tuple[str, str], float]) -> Topology:
    """From seconds between the views of two cameras, in both directions, 0 where they overlap.

    One camera on the way may have missed somebody; two have not.
    """
    direct: dict[str, dict[str, float]] = {}
    for (a, b), seconds in sorted(walking_times.items()):
        direct.setdefault(a, {})[b] = seconds
        direct.setdefault(b, {})[a] = seconds
    return Topology({camera_id: _ways_to(camera_id, direct) for camera_id in direct})


def broken_track() -> Transition:
    """How somebody is lost and found in one view."""
    return Transition(_BROKEN, _BREAK_S)


def transition_evidence(tracklet: Tracklet, last: Tracklet, topology: Topology) -> float:
    """Log-odds that ``tracklet`` shows who was seen last as ``last``, whichever began earlier."""
    earlier, later = (last, tracklet) if last.start <= tracklet.start else (tracklet, last)
    return topology.evidence(earlier.camera_id, later.camera_id, later.start - earlier.end)


def later_of(a: Tracklet, b: Tracklet) -> Tracklet:
    """The one that was seen last, or is of the later name; of two revisions that is ``b``."""
    return a if (a.end, a.key) > (b.end, b.key) else b


def in_two_places(a: Tracklet, b: Tracklet, topology: Topology) -> bool:
    """Whether one person would have been seen at one time where no two cameras overlap."""
    if a.camera_id == b.camera_id or not overlap_in_time(a, b):
        return False
    if not topology.is_given(a.camera_id, b.camera_id):
        return False
    passage = topology.passages[a.camera_id].get(b.camera_id)
    together_s = min(a.end, b.end) - max(a.start, b.start)
    return together_s > TOUCH_S and not (passage is not None and passage.overlaps)


def _density(passage: Transition, gap_s: float) -> float:
    """Of the gaps of those who take the passage, a second."""
    pause_s = gap_s - passage.typical_s
    paused = math.exp(-pause_s / _PAUSE_S) / _PAUSE_S if pause_s > 0 else 0.0
    if passage.overlaps:
        walked = 1 / _STAY_S if gap_s <= _BREAK_S else 0.0
    elif gap_s > -TOUCH_S:
        walked = _log_normal(gap_s + TOUCH_S, passage.typical_s + TOUCH_S, passage.spread)
    else:
        walked = 0.0
    return (1 - _PAUSES) * walked + _PAUSES * paused


def _edge(passage: Transition, possible: float, impossible: float) -> float:
    """A gap from which on none is possible, hardly too far."""
    while abs(impossible - possible) > _EDGE_S:
        middle = (possible + impossible) / 2
        if passage.evidence(middle) > -math.inf:
            possible = middle
        else:
            impossible = middle
    return impossible


def _log_normal(value: float, median: float, spread: float) -> float:
    deviation = math.log(value / median) / spread
    return math.exp(-deviation * deviation / 2) / (value * spread * _ROOT_2_PI)


def _ways_to(camera_id: str, direct: Mapping[str, Mapping[str, float]]) -> dict[str, Transition]:
    ways = {camera_id: broken_track()}
    for between, seconds in direct[camera_id].items():
        ways[between] = Transition(1 / len(direct[between]), seconds, overlaps=seconds == 0)
    for between, seconds in direct[camera_id].items():
        for start, before_s in direct[between].items():
            if start not in ways:
                share = _MISSED / len(direct[start]) / len(direct[between])
                ways[start] = Transition(share, before_s + _STAY_S + seconds)
    return ways
