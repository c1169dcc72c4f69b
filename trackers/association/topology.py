"""Which cameras are linked, and how likely a person who left one appears at another now.

Camera links are given in the site file, or learned while running (`learned_topology`). Where no
link is known there is a prior: most people come soon, some come late, and newcomers come all the
time. The evidence is how likely a person who left is to appear now, over how likely anyone else is:
where many come and go, a single person is seldom the one who comes, so that the prior falls with
the number of people by itself.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trackers.association.motion import BACK, BACK_S, LOST, LOST_S, overlap_in_time
from trackers.tracklet import Tracklet

# Another person enters the view of a camera once in this many seconds.
_OTHER_EVERY_S = 60.0
# Probability that a camera misses a person who passes.
_MISSED = 0.1
# How long people stay in the view of a camera.
_STAY_S = 8.0
# A single-camera tracker loses a person who is still there, or turns back, and finds them soon.
_BROKEN, _BREAK_S = 0.2, 2.0
#: Standard deviation of the logarithm of the walking time.
PACE_SPREAD = 0.35
# Some stop on the way.
_PAUSES, _PAUSE_S = 0.1, 90.0
#: Two clocks differ, and views touch: at one moment, and still not seen twice.
TOUCH_S = 1.0
# Log-odds below this count as impossible: appearance could not make up for them.
_LEAST = -5.5
_EDGE_S = 0.1
# What is learned from this many people weighs as much as the prior.
_TRUST_PEOPLE = 8.0
_ROOT_2_PI = math.sqrt(2 * math.pi)
# Share of the people leaving a view that another camera sees again.
_ELSEWHERE = 0.5
# Seconds to another view: log-normal for those who walk there, exponential for the rest.
_WALK_S, _WALK_SPREAD, _OFFSET_S = 12.0, 1.1, 1.0
_SLOW = 0.25
# Probability that two views overlap, and seconds for which both show a person.
_OVERLAPPING, _TOGETHER_S = 0.3, 10.0
#: Of the people who go from one of two overlapping views to the other, at least this share is in
#: both at one time.
AT_ONE_TIME = 0.2
# Before anything is learned: one newcomer a minute; this many of this many tracks show one.
_BEGINNING_S, _NEWCOMERS, _TRACKS = 60.0, 5.0, 10.0

Gaps = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Transition:
    """From one view to another: the ``share`` of people who go there, and their typical seconds.

    ``overlaps``: both cameras may see a person at one time. ``spread`` is the standard deviation of
    the logarithm of the seconds. Gaps below ``shortest_s`` or above ``longest_s`` are impossible.
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
        """Log-odds that a person who appears ``gap_s`` after one left is the same.

        The gap is negative when both cameras saw the person at one time. -inf when it is
        impossible.
        """
        likelihood = self.share * _density(self, gap_s) * _OTHER_EVERY_S
        evidence = math.log(likelihood) if likelihood > 0 else -math.inf
        return evidence if evidence > _LEAST else -math.inf


class Topology:
    """``transitions[later][earlier]``: how people come to ``later`` when last seen at ``earlier``.

    Cameras whose transitions are unknown use ``prior``. All ``transitions`` of the constructor are
    given, and stay as they are.
    """

    def __init__(self, transitions: Mapping[str, Mapping[str, Transition]] | None = None) -> None:
        self.transitions = {later: dict(earlier) for later, earlier in (transitions or {}).items()}
        self._given = frozenset(self.transitions)
        self._known = set(self.transitions)
        self._leads: dict[str, set[str]] = {}
        self._learned_from: dict[str, int] = {}
        #: Evidence between cameras whose transitions are unknown.
        self.prior = TransitionPrior()
        #: For each camera those that are known to see the same place.
        self.beside: dict[str, set[str]] = {}
        # The cameras in arrays, and what is known of how people come to a camera from each of them.
        self._numbers = {camera_id: number for number, camera_id in enumerate(self.transitions)}
        self._arrivals: dict[str, Gaps] = {}
        for later, known in self.transitions.items():
            for earlier in known:
                self._leads.setdefault(earlier, set()).add(later)

    def learn(self, earlier: str, transitions: Mapping[str, Transition], people: int) -> None:
        """Replace the ``transitions`` from ``earlier``, by later camera.

        ``people`` is the number of people they are learned from. The camera is known from now on.
        Transitions between two cameras with given ones are not changed.
        """
        leads = self._leads.setdefault(earlier, set())
        for later in [later for later in leads if not self.is_given(earlier, later)]:
            del self.transitions[later][earlier]
            leads.remove(later)
        for later, transition in transitions.items():
            if not self.is_given(earlier, later):
                self.transitions.setdefault(later, {})[earlier] = transition
                leads.add(later)
        self.transitions.setdefault(earlier, {})
        self._known.add(earlier)
        self._learned_from[earlier] = people
        self._arrivals.pop(earlier, None)
        for later, arrivals in self._arrivals.items():
            if self.number(earlier) < arrivals.shape[1]:
                arrivals[:, self.number(earlier)] = self._arrival(earlier, later)

    def learn_overlaps(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Set which cameras see the same place."""
        self.beside.clear()
        self._arrivals.clear()
        for a, b in pairs:
            self.beside.setdefault(a, set()).add(b)
            self.beside.setdefault(b, set()).add(a)

    def is_given(self, *camera_ids: str) -> bool:
        """Whether the transitions between these cameras are given."""
        return self._given.issuperset(camera_ids)

    def may_overlap(self, a: str, b: str) -> bool:
        """Whether two cameras may see one place: it is given, or nothing is."""
        if not self.is_given(a, b):
            return True
        transition = self.transitions[a].get(b)
        return transition is not None and transition.overlaps

    def near(self, camera_id: str) -> list[str]:
        """The cameras with a transition from or to this one, which may be among them."""
        return sorted({*self.transitions[camera_id], *self._leads.get(camera_id, ())})

    def knows(self, camera_id: str) -> bool:
        """Whether the transitions of this camera are known."""
        return camera_id in self._known

    def knows_all(self, camera_ids: Iterable[str]) -> bool:
        """Whether the transitions of each of these cameras are known."""
        return self._known.issuperset(camera_ids)

    def evidence(self, earlier: str, later: str, gap_s: float) -> float:
        """Log-odds that the person at ``later`` left ``earlier`` ``gap_s`` before.

        The gap is negative when both saw the person at one time. -inf when it is impossible.
        """
        if earlier not in self._known or later not in self._known:
            return self._usual(earlier, later, gap_s)
        transition = self.transitions[later].get(earlier)
        evidence = -math.inf
        if transition is not None:
            evidence = transition.evidence(gap_s) + self.prior.usual
        if earlier in self._given and later in self._given:
            return evidence
        # What is learned is weighted by the number of people it is learned from.
        people = self._learned_from.get(earlier, 0)
        learned = math.exp(evidence) * people if evidence > -math.inf else 0.0
        other = math.exp(self._usual(earlier, later, gap_s)) * _TRUST_PEOPLE
        return math.log((learned + other) / (people + _TRUST_PEOPLE))

    def number(self, camera_id: str) -> int:
        """The number of a camera for `evidences`; it holds as long as this object."""
        return self._numbers.setdefault(camera_id, len(self._numbers))

    def evidences(self, earlier: NDArray[np.intp], later: str, gaps_s: Gaps) -> Gaps:
        """As `evidence`, from the cameras of these numbers ``(N,)`` with gaps ``(N,)``; equal but
        for rounding."""
        share, typical_s, spread, overlaps, people, known, given, overlapping, here = (
            self._arrivals_at(later)[:, earlier]
        )
        if given.all():
            return self._own(share, typical_s, spread, overlaps, gaps_s)
        usual = self.prior.evidences(gaps_s, overlapping, here)
        if not known.any():
            return usual
        own = self._own(share, typical_s, spread, overlaps, gaps_s)
        both = np.exp(own) * people + np.exp(usual) * _TRUST_PEOPLE
        learned = np.log(both / (people + _TRUST_PEOPLE))
        return np.where(given > 0, own, np.where(known > 0, learned, usual))

    def _own(
        self, share: Gaps, typical_s: Gaps, spread: Gaps, overlaps: Gaps, gaps_s: Gaps
    ) -> Gaps:
        """Of the transitions themselves; -inf where the share is 0."""
        density = _densities(typical_s, spread, overlaps, gaps_s)
        evidence = _logs(share * density * _OTHER_EVERY_S)
        return np.where(evidence > _LEAST, evidence, -np.inf) + self.prior.usual

    def _arrivals_at(self, later: str) -> Gaps:
        """``(9, C)``, what `evidences` needs of each camera that has a number."""
        found = self._arrivals.get(later)
        if found is None or found.shape[1] < len(self._numbers):
            columns = [self._arrival(earlier, later) for earlier in self._numbers]
            found = self._arrivals[later] = np.array(columns, np.float64).reshape(-1, 9).T
        return found

    def _arrival(self, earlier: str, later: str) -> tuple[float, ...]:
        known = earlier in self._known and later in self._known
        transition = self.transitions[later].get(earlier) if known else None
        share, typical_s, spread, overlaps = (
            (0.0, 0.0, 1.0, False)
            if transition is None
            else (transition.share, transition.typical_s, transition.spread, transition.overlaps)
        )
        people = self._learned_from.get(earlier, 0)
        given = known and self.is_given(earlier, later)
        overlapping = self._overlapping(earlier, later)
        here = earlier == later
        return share, typical_s, spread, overlaps, people, known, given, overlapping, here

    def _usual(self, earlier: str, later: str, gap_s: float) -> float:
        overlapping = self._overlapping(earlier, later)
        return self.prior.evidence(earlier, later, gap_s, overlapping=overlapping)

    def _overlapping(self, earlier: str, later: str) -> float:
        """The probability that two views overlap; lower the more people went from one to the other
        as where they do not."""
        if later in self.beside.get(earlier, ()):
            return 1.0
        transition = self.transitions.get(later, {}).get(earlier)
        if transition is None or transition.overlaps:
            return _OVERLAPPING
        people = transition.share * self._learned_from.get(earlier, 0)
        still: float = _OVERLAPPING * (1 - AT_ONE_TIME) ** people
        return still / (still + 1 - _OVERLAPPING)


def topology_of(walking_times: Mapping[tuple[str, str], float]) -> Topology:
    """From seconds between the views of two cameras, in both directions, 0 where they overlap.

    A transition past one camera in between, which may have missed the person, is included.
    """
    direct: dict[str, dict[str, float]] = {}
    for (a, b), seconds in sorted(walking_times.items()):
        direct.setdefault(a, {})[b] = seconds
        direct.setdefault(b, {})[a] = seconds
    return Topology({camera_id: _transitions_to(camera_id, direct) for camera_id in direct})


def broken_track() -> Transition:
    """The transition of a person whose track breaks and begins again in the same view."""
    return Transition(_BROKEN, _BREAK_S)


def transition_evidence(tracklet: Tracklet, last: Tracklet, topology: Topology) -> float:
    """Log-odds that ``tracklet`` and ``last`` are one person, whichever began earlier."""
    earlier, later = (last, tracklet) if last.start <= tracklet.start else (tracklet, last)
    return topology.evidence(earlier.camera_id, later.camera_id, later.start - earlier.end)


def later_of(a: Tracklet, b: Tracklet) -> Tracklet:
    """The one that ended later, or has the greater key; of two revisions that is ``b``."""
    return a if (a.end, a.key) > (b.end, b.key) else b


def in_two_places(a: Tracklet, b: Tracklet, topology: Topology) -> bool:
    """Whether both were seen at one time by cameras that do not overlap."""
    if a.camera_id == b.camera_id or not overlap_in_time(a, b):
        return False
    together_s = min(a.end, b.end) - max(a.start, b.start)
    return together_s > TOUCH_S and not topology.may_overlap(a.camera_id, b.camera_id)


def _density(transition: Transition, gap_s: float) -> float:
    """Probability density of a gap, per second."""
    pause_s = gap_s - transition.typical_s
    paused = math.exp(-pause_s / _PAUSE_S) / _PAUSE_S if pause_s > 0 else 0.0
    if transition.overlaps:
        walked = 1 / _STAY_S if gap_s <= _BREAK_S else 0.0
    elif gap_s > -TOUCH_S:
        walked = _log_normal(gap_s + TOUCH_S, transition.typical_s + TOUCH_S, transition.spread)
    else:
        walked = 0.0
    return (1 - _PAUSES) * walked + _PAUSES * paused


def _densities(typical_s: Gaps, spread: Gaps, overlaps: Gaps, gaps_s: Gaps) -> Gaps:
    """As `_density`, of many transitions and gaps ``(N,)`` at once."""
    pauses_s = gaps_s - typical_s
    paused = np.where(pauses_s > 0, np.exp(-np.maximum(pauses_s, 0) / _PAUSE_S) / _PAUSE_S, 0)
    walks = gaps_s > -TOUCH_S
    values = np.where(walks, gaps_s + TOUCH_S, 1.0)
    walked = np.where(walks, _log_normals(values, typical_s + TOUCH_S, spread), 0.0)
    if overlaps.any():
        together = np.where(gaps_s <= _BREAK_S, 1 / _STAY_S, 0.0)
        walked = np.where(overlaps > 0, together, walked)
    return (1 - _PAUSES) * walked + _PAUSES * paused


def _edge(transition: Transition, possible: float, impossible: float) -> float:
    """The first impossible gap between ``possible`` and ``impossible``, to ``_EDGE_S``."""
    while abs(impossible - possible) > _EDGE_S:
        middle = (possible + impossible) / 2
        if transition.evidence(middle) > -math.inf:
            possible = middle
        else:
            impossible = middle
    return impossible


def _log_normal(value: float, median: float, spread: float) -> float:
    deviation = math.log(value / median) / spread
    return math.exp(-deviation * deviation / 2) / (value * spread * _ROOT_2_PI)


def _log_normals(values: Gaps, median: Gaps | float, spread: Gaps | float) -> Gaps:
    deviations = np.log(values / median) / spread
    return np.exp(-deviations * deviations / 2) / (values * spread * _ROOT_2_PI)


def _logs(values: Gaps) -> Gaps:
    """The logarithms ``(N,)``, -inf of 0."""
    return np.log(values, where=values > 0, out=np.full(len(values), -np.inf))


def _transitions_to(
    camera_id: str, direct: Mapping[str, Mapping[str, float]]
) -> dict[str, Transition]:
    found = {camera_id: broken_track()}
    for between, seconds in direct[camera_id].items():
        found[between] = Transition(1 / len(direct[between]), seconds, overlaps=seconds == 0)
    for between, seconds in direct[camera_id].items():
        for start, before_s in direct[between].items():
            if start not in found:
                share = _MISSED / len(direct[start]) / len(direct[between])
                found[start] = Transition(share, before_s + _STAY_S + seconds)
    return found


class TransitionPrior:
    """Log-odds of a person who left over a new one.

    Learned: ``newcomer_every_s``, the seconds between two new people on the site, and ``cameras``,
    the number of cameras that see people. ``usual`` are the log-odds of both against those that are
    usual at one camera.
    """

    def __init__(self) -> None:
        self._set(_BEGINNING_S, 1)

    def learn(self, people: int, tracks: int, cameras: int, span_s: float) -> None:
        """Update from the people, tracks and cameras of the last ``span_s`` seconds."""
        share = (people + _NEWCOMERS) / (tracks + _TRACKS)
        self._set((max(span_s, 0.0) + _BEGINNING_S) / (1 + share * tracks), max(cameras, 1))

    def memory(self) -> list[float]:
        """What was learned."""
        return [self.newcomer_every_s, self.cameras]

    def remember(self, memory: list[float]) -> None:
        """Restore what `memory` returned."""
        self._set(memory[0], int(memory[1]))

    def _set(self, newcomer_every_s: float, cameras: int) -> None:
        self.newcomer_every_s, self.cameras = newcomer_every_s, cameras
        self.usual = math.log(newcomer_every_s * cameras / _OTHER_EVERY_S)

    def evidence(
        self, earlier: str, later: str, gap_s: float, *, overlapping: float = _OVERLAPPING
    ) -> float:
        """Log-odds that the person at ``later`` is the one who left ``earlier`` ``gap_s`` before.

        The gap is negative when both cameras saw the person at one time. ``overlapping`` is the
        probability that the two see one place.
        """
        density = _prior_density(gap_s, overlapping, here=earlier == later)
        return math.log(density * self.newcomer_every_s)

    def evidences(self, gaps_s: Gaps, overlapping: Gaps, here: Gaps) -> Gaps:
        """As `evidence`, of many gaps ``(N,)`` at once.

        ``overlapping`` ``(N,)`` are the probabilities that the views overlap, ``here`` ``(N,)`` is
        1 for one camera and 0 for two.
        """
        return np.log(_prior_densities(gaps_s, overlapping, here) * self.newcomer_every_s)


def _prior_density(gap_s: float, overlapping: float, *, here: bool) -> float:
    """Probability density of appearing ``gap_s`` after leaving, per second."""
    late = math.exp(-max(gap_s, 0.0) / BACK_S) / BACK_S
    if here:
        broken = math.exp(-max(gap_s, 0.0) / LOST_S) / LOST_S
        return BACK * late + LOST * broken
    if gap_s < -_OFFSET_S:
        return _ELSEWHERE * overlapping / _TOGETHER_S
    value = max(gap_s, 0.0) + _OFFSET_S
    deviation = math.log(value / (_WALK_S + _OFFSET_S)) / _WALK_SPREAD
    walk = math.exp(-deviation * deviation / 2) / (value * _WALK_SPREAD * _ROOT_2_PI)
    return _ELSEWHERE * (1 - _OVERLAPPING) * ((1 - _SLOW) * walk + _SLOW * late)


def _prior_densities(gaps_s: Gaps, overlapping: Gaps, here: Gaps) -> Gaps:
    """As `_prior_density`, of many gaps ``(N,)`` at once."""
    after_s = np.maximum(gaps_s, 0.0)
    late = np.exp(-after_s / BACK_S) / BACK_S
    walk = _log_normals(after_s + _OFFSET_S, _WALK_S + _OFFSET_S, _WALK_SPREAD)
    apart = _ELSEWHERE * (1 - _OVERLAPPING) * ((1 - _SLOW) * walk + _SLOW * late)
    found = np.where(gaps_s < -_OFFSET_S, _ELSEWHERE * overlapping / _TOGETHER_S, apart)
    if here.any():
        broken = np.exp(-after_s / LOST_S) / LOST_S
        found = np.where(here > 0, BACK * late + LOST * broken, found)
    return found
