"""Evidence that tracklets show one person, for comparing whole partitions of them.

The same transitions, places and appearance as when the association decides second by second, but
between tracklets: which follows which, which exclude each other, and how similar they are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Population, Vector
from trackers.association.decision import Rules, log_odds
from trackers.association.motion import comparable, exclusive, motion_evidence
from trackers.association.shared_views import SharedViews, mean_of_known
from trackers.association.topology import Topology, in_two_places
from trackers.tracklet import Tracklet
from trackers.tracklet import TrackletKey as Key

# Without a successor, a person would never have been seen again, as only one in two is not:
# when decisions are reassessed that counts for the successor.
_SEEN_AGAIN = -math.log(0.5)


@dataclass(frozen=True, slots=True, eq=False)
class TrackletArrays:
    """Many ``tracklets`` as arrays: ``camera`` ``(N,)`` are numbers of a `Topology`,
    ``end`` ``(N,)`` seconds UTC, ``vivid`` ``(N,)`` False for those that have faded.

    ``rows`` ``(N,)`` are those of ``vectors`` ``(M, D)`` and ``precisions`` ``(M,)``, as of an
    `Appearance`; -1 without one.
    """

    tracklets: Sequence[Tracklet]
    camera: NDArray[np.intp]
    end: NDArray[np.float64]
    vivid: NDArray[np.bool_]
    rows: NDArray[np.intp]
    vectors: Vector
    precisions: NDArray[np.float64]


class Evidence:
    """Evidence between closed tracklets, with a cache.

    Call `begin` before each use, so that what was learned since is taken into account.
    ``fixed_owner`` is the person of a tracklet that was corrected, who is beyond any doubt.
    """

    def __init__(
        self,
        rules: Rules,
        topology: Topology,
        population: Population,
        shared_views: SharedViews,
        fixed_owner: Callable[[Key], int | None] = lambda key: None,
    ) -> None:
        self._rules = rules
        self._topology = topology
        self._population = population
        self._shared_views = shared_views
        self._fixed_owner = fixed_owner
        self._transitions: dict[tuple[Key, Key], float] = {}
        self._places: dict[tuple[Key, Key], float] = {}
        self._together: dict[tuple[Key, Key], float] = {}
        self._least = log_odds(rules.min_confidence)

    def begin(self) -> None:
        """Drop cached evidence that is older than what was learned since."""
        self._transitions.clear()
        self._places.clear()
        self._together.clear()

    @property
    def has_shared_views(self) -> bool:
        """Whether any two cameras are known to see the same place."""
        return bool(self._topology.beside)

    def transition(self, earlier: Tracklet, later: Tracklet) -> float:
        """Log-odds that the person of ``earlier`` was next seen as ``later``; -inf when impossible.

        0 when one of them has faded.
        """
        pair = earlier.key, later.key
        found = self._transitions.get(pair)
        if found is None:
            found = self._transition_of(earlier, later)
            if found == -math.inf and self._is_fixed(earlier, later):
                found = 0.0
            self._transitions[pair] = found
        return found

    def _is_fixed(self, a: Tracklet, b: Tracklet) -> bool | None:
        """Whether two tracklets were corrected to be one person, or two; None: neither."""
        one = self._fixed_owner(a.key)
        if one is None:
            return None
        other = self._fixed_owner(b.key)
        return None if other is None else one == other

    def _transition_of(self, earlier: Tracklet, later: Tracklet) -> float:
        if not len(earlier.path) or not len(later.path):
            return 0.0
        gap_s = later.start - earlier.end
        evidence = self._topology.evidence(earlier.camera_id, later.camera_id, gap_s)
        return evidence - self._least + _SEEN_AGAIN

    def arrays_of(self, tracklets: Sequence[Tracklet]) -> TrackletArrays:
        """What `likeliest` needs of many tracklets."""
        appearances = [self._population.of(tracklet) for tracklet in tracklets]
        known = [number for number, one in enumerate(appearances) if one is not None]
        seen = [one for one in appearances if one is not None]
        rows = np.full(len(tracklets), -1)
        rows[known] = np.arange(len(known))
        return TrackletArrays(
            tracklets,
            np.array([self._topology.number(t.camera_id) for t in tracklets], np.intp),
            np.array([t.end for t in tracklets], np.float64),
            np.array([len(t.path) > 0 for t in tracklets], np.bool_),
            rows,
            np.stack([one.vector for one in seen]) if seen else np.zeros((0, 0), np.float32),
            np.array([one.precision for one in seen], np.float64),
        )

    def likeliest(
        self, later: Tracklet, known: TrackletArrays, numbers: NDArray[np.intp], most: int
    ) -> list[Key]:
        """The ``most`` that are likeliest followed by ``later``, of the ``numbers`` ``(N,)`` of
        the ``known``."""
        scores = self._transitions_to(later, known, numbers)
        numbers, scores = numbers[scores > -np.inf], scores[scores > -np.inf]
        keys = [known.tracklets[number].key for number in numbers]
        if len(numbers) <= most:
            return keys
        appearance = self._population.of(later)
        if appearance is not None:
            rows = known.rows[numbers]
            seen, rows = rows >= 0, rows[rows >= 0]
            scores[seen] += self._population.evidence_of_rows(
                appearance,
                known.vectors[rows],
                known.precisions[rows],
                np.zeros(len(rows), np.bool_),
            )
        least = np.partition(scores, -most)[-most]
        best = [(-scores[row], keys[row]) for row in np.flatnonzero(scores >= least)]
        return [key for _, key in sorted(best)[:most]]

    def _transitions_to(
        self, later: Tracklet, known: TrackletArrays, numbers: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """As `transition`, from each of ``numbers`` ``(N,)``; not cached, as there are many."""
        scores = np.zeros(len(numbers))
        if not len(later.path):
            return scores
        numbers, vivid = numbers[known.vivid[numbers]], known.vivid[numbers]
        gaps_s = later.start - known.end[numbers]
        evidence = self._topology.evidences(known.camera[numbers], later.camera_id, gaps_s)
        scores[vivid] = evidence - self._least + _SEEN_AGAIN
        return scores

    def place(self, earlier: Tracklet, later: Tracklet) -> float:
        """Log-odds that ``earlier`` and ``later`` are one person by place; -inf when impossible.

        Both are of one camera, or on the ground.
        """
        pair = earlier.key, later.key
        found = self._places.get(pair)
        if found is None:
            found = motion_evidence(earlier, later, self._rules.limits)
            if found == -math.inf and self._is_fixed(earlier, later):
                found = 0.0
            self._places[pair] = found
        return found

    def together(self, earlier: Sequence[Tracklet], later: Tracklet) -> float:
        """Log-odds that ``later`` is the person of ``earlier``, by where other cameras saw these at
        the same time."""
        beside = self._topology.beside.get(later.camera_id)
        if not beside:
            return 0.0
        return mean_of_known(
            self._of_pair(one, later)
            for one in earlier
            if one.camera_id in beside and not self._is_fixed(one, later)
        )

    def _of_pair(self, earlier: Tracklet, later: Tracklet) -> float:
        pair = earlier.key, later.key
        found = self._together.get(pair)
        if found is None:
            found = self._together[pair] = self._shared_views.of_pair(later, earlier)
        return found

    def possible(self, a: Tracklet, b: Tracklet) -> bool:
        """Whether the two break no hard rule, whatever was seen between them."""
        is_fixed = self._is_fixed(a, b)
        if is_fixed is not None:
            return is_fixed
        if a.end < b.start or b.end < a.start:
            # Later in one camera is possible only when the earlier has ended.
            return not exclusive(a, b)
        if exclusive(a, b) or in_two_places(a, b, self._topology):
            return False
        return not comparable(a, b) or self.place(a, b) > -math.inf

    def appearance(self, members: Sequence[Tracklet]) -> float:
        """Log-odds that ``members``, in order, are one person by appearance; 0 for a single one."""
        found = [(self._population.of(member), member.camera_id) for member in members]
        seen = [
            (appearance, camera_id) for appearance, camera_id in found if appearance is not None
        ]
        return self._population.evidence_in_order(
            [appearance for appearance, _ in seen], [camera_id for _, camera_id in seen]
        )
