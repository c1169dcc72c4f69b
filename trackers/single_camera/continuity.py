"""Whether a track goes on as the same person, by appearance.

Where people cross, a tracker, which follows motion, may continue on the wrong person. Two
successive crops that match each other, but match the track less well than crops of one person in
two cameras do, are a switch. Where two tracks met, what each shows when they have come apart is
compared with what both showed before.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections, areas, intersections

# Number of crops that establish the person of a track, and number that establish another person.
_KNOWN, _OTHER = 2, 2
# Two meet when this share of the smaller box is covered, and are apart at no more than the second.
_MET, _CLEAR = 0.25, 0.1
# A track that was not seen for this long after a meeting did not survive it.
_LOST_S = 0.5
# How much more alike, in cosines after removing what all people share, two exchanged tracks are
# together, and one that goes on as a track that was lost.
_EXCHANGED, _TAKEN = 0.3, 0.25


@dataclass(frozen=True, slots=True)
class SamePerson:
    """The threshold above which two crops show the same person.

    ``midpoint`` applies to cosines after removing ``common``, the mean cosine of impostor pairs.
    """

    midpoint: float
    common: float

    def alike(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
        """Whether two vectors ``(D,)`` of any length show the same person."""
        return self.likeness(a, b) >= self.midpoint

    def likeness(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        """The cosine of two vectors ``(D,)`` of any length, after removing ``common``."""
        length = math.sqrt(float(a @ a) * float(b @ b))
        cosine = float(a @ b) / max(length, 1e-9)
        return (cosine - self.common) / (1 - self.common)


@dataclass(slots=True)
class Continuity:
    """The person of a track: the sum ``(D,)`` of its ``crops``, and the deviating crops since."""

    crops: int = 0
    total: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    doubted: list[tuple[float, NDArray[np.float32]]] = field(default_factory=list)

    @classmethod
    def of(cls, crops: Sequence[NDArray[np.float32]]) -> "Continuity":
        """That of a track that showed one person, in these crops ``(D,)``."""
        return cls(len(crops), np.sum(crops, axis=0)) if crops else cls()

    def add(self, time: float, vector: NDArray[np.float32], same: SamePerson) -> float | None:
        """Add the next crop; returns the time of a switch to another person, else None.

        After a switch the deviating crops define the person of the track.
        """
        if self.crops < _KNOWN or same.alike(vector, self.total):
            self.total = self.total + vector if self.crops else vector
            self.crops += 1
            self.doubted.clear()
            return None
        if self.doubted and not same.alike(vector, self.doubted[-1][1]):
            self.doubted.clear()
        self.doubted.append((time, vector))
        if len(self.doubted) < _OTHER:
            return None
        since = self.doubted[0][0]
        self.crops = len(self.doubted)
        self.total = np.sum([doubted for _, doubted in self.doubted], axis=0)
        self.doubted.clear()
        return since


@dataclass(frozen=True, slots=True)
class Parting:
    """Two tracks of the tracker have come apart, the second of which may be lost; they covered
    each other most at ``since``, seconds UTC."""

    one: int
    other: int
    since: float
    lost: bool


@dataclass(slots=True)
class _Meeting:
    since: float
    share: float
    seen: dict[int, float]


class Meetings:
    """The meetings of the tracks of one camera, by the tracker's ids."""

    def __init__(self) -> None:
        self._meetings: dict[tuple[int, int], _Meeting] = {}

    def update(
        self, tracked: Detections, is_fit: Callable[[int], bool], timestamp: float
    ) -> list[Parting]:
        """The tracks that have come apart in this frame.

        ``is_fit`` tells of the row of a box whether it is fit to be compared.
        """
        assert tracked.track_ids is not None
        ids = tracked.track_ids.tolist()
        shares = _shares(tracked.boxes)
        for a, b in combinations(range(len(ids)), 2):
            if shares[a, b] >= _MET:
                self._meet(ids[a], ids[b], float(shares[a, b]), timestamp)
        alone = shares.max(axis=1, initial=0.0) <= _CLEAR
        met = self.tracks()
        clear = {t for row, t in enumerate(ids) if t in met and alone[row] and is_fit(row)}
        partings = [
            parting
            for pair, meeting in sorted(self._meetings.items())
            if (parting := _parting(pair, meeting, {*ids}, clear, timestamp))
        ]
        for parting in partings:
            del self._meetings[_pair(parting.one, parting.other)]
        self._forget(timestamp)
        return partings

    def tracks(self) -> set[int]:
        """The tracks that are together with another, or have not come apart since."""
        return {track for pair in self._meetings for track in pair}

    def _meet(self, a: int, b: int, share: float, timestamp: float) -> None:
        meeting = self._meetings.setdefault(_pair(a, b), _Meeting(timestamp, 0.0, {}))
        if share >= meeting.share:
            meeting.since, meeting.share = timestamp, share

    def _forget(self, timestamp: float) -> None:
        self._meetings = {
            pair: meeting
            for pair, meeting in self._meetings.items()
            if timestamp - max(meeting.seen.values(), default=timestamp) <= _LOST_S
        }


def _pair(a: int, b: int) -> tuple[int, int]:
    return min(a, b), max(a, b)


def _parting(
    pair: tuple[int, int], meeting: _Meeting, here: set[int], clear: set[int], timestamp: float
) -> Parting | None:
    meeting.seen |= {track: timestamp for track in pair if track in here}
    one, other = pair
    if one in clear and other in clear:
        return Parting(one, other, meeting.since, lost=False)
    for left, gone in ((one, other), (other, one)):
        if left in clear and timestamp - meeting.seen.get(gone, meeting.since) > _LOST_S:
            return Parting(left, gone, meeting.since, lost=True)
    return None


def _shares(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the smaller of two boxes, how much is shared: ``(N, N)``, 0 with itself."""
    sizes = areas(boxes)
    shares = intersections(boxes, boxes) / np.minimum(sizes[:, None], sizes[None])
    np.fill_diagonal(shares, 0)
    return np.asarray(shares, np.float32)


Vector = NDArray[np.float32]


def are_exchanged(
    before: tuple[Vector, Vector], after: tuple[Vector, Vector], same: SamePerson
) -> bool:
    """Whether each of two tracks shows after the meeting what the other did before: ``(D,)``."""
    kept = same.likeness(before[0], after[0]) + same.likeness(before[1], after[1])
    exchanged = same.likeness(before[0], after[1]) + same.likeness(before[1], after[0])
    return exchanged - kept >= _EXCHANGED


def is_taken(own: Vector, lost: Vector, after: Vector, same: SamePerson) -> bool:
    """Whether a track resembles after a meeting one that is lost since, and not itself before."""
    likeness = same.likeness(lost, after)
    return likeness >= same.midpoint and likeness - same.likeness(own, after) >= _TAKEN
