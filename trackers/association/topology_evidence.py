"""Links between recent tracklets of all cameras, by appearance alone.

Neither transitions nor identities are used, so that what is learned from it cannot confirm itself.
"""

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Population, mean_embedding
from trackers.association.motion import overlap_in_time
from trackers.tracklet import Tracklet, TrackletKey

#: Longer gaps are not searched.
WINDOW_S = 180.0
#: A track up to a minute long is compared with all that it can follow.
KEPT_S = WINDOW_S + 60.0
# The number of nearest tracklets that are compared in full.
_CLOSELY = 8
# Log-odds of one person over two: of the most similar tracklet, and of others linked with it. Right
# among fifty impostors. Among thousands many a link is wrong, but these are spread over all cameras
# and gaps, while the others lie on the transitions.
_SURE, _LIKELY = 3.9, 1.9


class Link(NamedTuple):
    """A person was seen by camera ``later``, ``gap_s`` after leaving camera ``earlier``.

    The gap is negative when both cameras saw the person at one time.
    """

    earlier: str
    later: str
    gap_s: float


class Links:
    """Finds links between closed tracklets, added in any order.

    Tracklets that ended more than ``kept_s`` ago are dropped.
    """

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = min(kept_s, KEPT_S)
        self._tracklets: list[Tracklet] = []
        # Mean embeddings and ends of all tracklets; there are spare rows.
        self._embeddings = np.zeros((0, 0), np.float32)
        self._ends = np.zeros(0)

    def add(self, tracklets: list[Tracklet], at: float) -> None:
        """Add closed tracklets with exemplars at the moment ``at``, without a search for links."""
        if not tracklets:
            return
        first = len(self._tracklets)
        if first + len(tracklets) > len(self._embeddings):
            first = self._grow(len(tracklets), tracklets[0].exemplars.shape[1], at)
        self._tracklets += tracklets
        rows = slice(first, len(self._tracklets))
        self._embeddings[rows] = [mean_embedding(tracklet.exemplars) for tracklet in tracklets]
        self._ends[rows] = [tracklet.end for tracklet in tracklets]

    def of(self, tracklets: list[Tracklet], at: float, population: Population) -> list[Link]:
        """The links of closed tracklets with exemplars to those before; ``at`` as of `add`."""
        if not tracklets:
            return []
        self.add(tracklets, at)
        count = len(self._tracklets)
        first = count - len(tracklets)
        cosines = self._embeddings[first:count] @ self._embeddings[:count].T
        found: list[Link] = []
        for number, tracklet in enumerate(tracklets):
            found += self._of_one(tracklet, cosines[number, : first + number], at, population)
        return found

    def drop(self, keys: Collection[TrackletKey]) -> None:
        """Remove tracklets."""
        self._keep([row for row, t in enumerate(self._tracklets) if t.key not in keys], 0)

    def _grow(self, more: int, dimension: int, at: float) -> int:
        """Drop old tracklets, and double the rows; the number of rows left."""
        recent = np.flatnonzero(self._ends[: len(self._tracklets)] >= at - self._kept_s)
        self._keep(recent.tolist(), more, dimension)
        return len(recent)

    def _keep(self, rows: list[int], more: int, dimension: int | None = None) -> None:
        columns = dimension or self._embeddings.shape[1]
        embeddings = np.zeros((2 * (len(rows) + more), columns), np.float32)
        ends = np.zeros(len(embeddings))
        if rows:
            embeddings[: len(rows)], ends[: len(rows)] = self._embeddings[rows], self._ends[rows]
        self._tracklets = [self._tracklets[row] for row in rows]
        self._embeddings, self._ends = embeddings, ends

    def _of_one(
        self, tracklet: Tracklet, cosines: NDArray[np.float32], at: float, population: Population
    ) -> list[Link]:
        """``cosines`` are those of mean embeddings with all tracklets before this one."""
        earliest = max(tracklet.start - WINDOW_S, at - self._kept_s)
        there = np.flatnonzero(self._ends[: len(cosines)] >= earliest)
        few = min(_CLOSELY, len(there))
        rows = self._most_similar(there, cosines[there], few)
        others = [
            other
            for other in (self._tracklets[row] for row in rows)
            if not (other.camera_id == tracklet.camera_id and overlap_in_time(other, tracklet))
        ]
        appearance = population.of(tracklet)
        theirs = [population.of(other) for other in others]
        assert appearance is not None
        scores = population.evidence(appearance, [one for one in theirs if one is not None])
        similar = list(zip(scores.tolist(), others, strict=True))
        if max((evidence for evidence, _ in similar), default=-math.inf) <= _SURE:
            return []
        same = [other for evidence, other in similar if evidence > _LIKELY]
        before = [other for other in same if other.start <= tracklet.start]
        links = [_link(tracklet, other) for other in same if other.start > tracklet.start]
        if before:
            links.append(_link(max(before, key=lambda other: (other.end, other.key)), tracklet))
        return sorted(links)

    def _most_similar(
        self, there: NDArray[np.intp], cosines: NDArray[np.float32], few: int
    ) -> list[int]:
        """The nearest; of equals the latest, so that the order of adding does not matter."""
        if not few:
            return []
        least = np.partition(cosines, len(cosines) - few)[len(cosines) - few]
        similar = [
            (-cosine, -self._ends[row], self._tracklets[row].key, row)
            for row, cosine in zip(
                there[cosines >= least].tolist(), cosines[cosines >= least].tolist(), strict=True
            )
        ]
        return [row for *_, row in sorted(similar)[:few]]


def _link(earlier: Tracklet, later: Tracklet) -> Link:
    return Link(earlier.camera_id, later.camera_id, later.start - earlier.end)
