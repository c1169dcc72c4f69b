"""Who was seen again where, by their looks alone, in what all cameras saw of late.

It knows nothing of ways or identities, so that what is learnt from it cannot confirm itself.
"""

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Population, mean_embedding
from trackers.association.identity import appearance_of
from trackers.association.motion import overlap_in_time
from trackers.tracklet import Tracklet, TrackletKey

#: Who was not seen for longer is not looked for.
WINDOW_S = 180.0
#: A track up to a minute long is compared with all that it can follow.
KEPT_S = WINDOW_S + 60.0
# The looks that are compared closely.
_CLOSELY = 8
# Log-odds of one person over two: of the most alike, and of who else is then taken for them. It is
# sure among fifty strangers. Among thousands many a link is wrong, but these are spread over all
# cameras and gaps, and the others are on the ways that people take.
_SURE, _LIKELY = 3.9, 1.9


class Link(NamedTuple):
    """Somebody was seen at ``later``, ``gap_s`` after they left ``earlier``.

    The gap is negative when both cameras saw them at one time.
    """

    earlier: str
    later: str
    gap_s: float


class Links:
    """Finds links between closed tracklets; give it all of them, in any order.

    Those that ended more than ``kept_s`` ago are out of the question.
    """

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = min(kept_s, KEPT_S)
        self._tracklets: list[Tracklet] = []
        # Rows of looks, and of ends, of all tracklets; there is room for more.
        self._looks = np.zeros((0, 0), np.float32)
        self._ends = np.zeros(0)

    def add(self, tracklets: list[Tracklet], at: float) -> None:
        """Take closed tracklets with looks at the moment ``at``, without looking for links."""
        if not tracklets:
            return
        first = len(self._tracklets)
        if first + len(tracklets) > len(self._looks):
            first = self._make_room(len(tracklets), tracklets[0].exemplars.shape[1], at)
        self._tracklets += tracklets
        rows = slice(first, len(self._tracklets))
        self._looks[rows] = [mean_embedding(tracklet.exemplars) for tracklet in tracklets]
        self._ends[rows] = [tracklet.end for tracklet in tracklets]

    def of(self, tracklets: list[Tracklet], at: float, population: Population) -> list[Link]:
        """The links of closed tracklets with looks to those before; ``at`` as of `add`."""
        if not tracklets:
            return []
        self.add(tracklets, at)
        count = len(self._tracklets)
        first = count - len(tracklets)
        cosines = self._looks[first:count] @ self._looks[:count].T
        found: list[Link] = []
        for number, tracklet in enumerate(tracklets):
            found += self._of_one(tracklet, cosines[number, : first + number], at, population)
        return found

    def drop(self, keys: Collection[TrackletKey]) -> None:
        """Leave tracklets out."""
        self._keep([row for row, t in enumerate(self._tracklets) if t.key not in keys], 0)

    def _make_room(self, more: int, dimension: int, at: float) -> int:
        """Drop what is out of the question, and double the room; the number of rows left."""
        recent = np.flatnonzero(self._ends[: len(self._tracklets)] >= at - self._kept_s)
        self._keep(recent.tolist(), more, dimension)
        return len(recent)

    def _keep(self, rows: list[int], more: int, dimension: int | None = None) -> None:
        looks = np.zeros((2 * (len(rows) + more), dimension or self._looks.shape[1]), np.float32)
        ends = np.zeros(len(looks))
        if rows:
            looks[: len(rows)], ends[: len(rows)] = self._looks[rows], self._ends[rows]
        self._tracklets = [self._tracklets[row] for row in rows]
        self._looks, self._ends = looks, ends

    def _of_one(
        self, tracklet: Tracklet, cosines: NDArray[np.float32], at: float, population: Population
    ) -> list[Link]:
        """The cosines are those of mean looks with all tracklets before this one."""
        earliest = max(tracklet.start - WINDOW_S, at - self._kept_s)
        there = np.flatnonzero(self._ends[: len(cosines)] >= earliest)
        few = min(_CLOSELY, len(there))
        rows = self._most_alike(there, cosines[there], few)
        others = [
            other
            for other in (self._tracklets[row] for row in rows)
            if not (other.camera_id == tracklet.camera_id and overlap_in_time(other, tracklet))
        ]
        look = appearance_of(tracklet, population)
        theirs = [appearance_of(other, population) for other in others]
        assert look is not None
        said = population.evidence(look, [one for one in theirs if one is not None])
        alike = list(zip(said.tolist(), others, strict=True))
        if max((evidence for evidence, _ in alike), default=-math.inf) <= _SURE:
            return []
        same = [other for evidence, other in alike if evidence > _LIKELY]
        before = [other for other in same if other.start <= tracklet.start]
        links = [_link(tracklet, other) for other in same if other.start > tracklet.start]
        if before:
            links.append(_link(max(before, key=lambda other: (other.end, other.key)), tracklet))
        return sorted(links)

    def _most_alike(
        self, there: NDArray[np.intp], cosines: NDArray[np.float32], few: int
    ) -> list[int]:
        """Of equals the latest, so that it does not matter who was added first."""
        if not few:
            return []
        least = np.partition(cosines, len(cosines) - few)[len(cosines) - few]
        alike = [
            (-cosine, -self._ends[row], self._tracklets[row].key, row)
            for row, cosine in zip(
                there[cosines >= least].tolist(), cosines[cosines >= least].tolist(), strict=True
            )
        ]
        return [row for *_, row in sorted(alike)[:few]]


def _link(earlier: Tracklet, later: Tracklet) -> Link:
    return Link(earlier.camera_id, later.camera_id, later.start - earlier.end)
