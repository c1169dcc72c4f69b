"""Where two tracks of a camera meet, and whether they came apart as each other.

A tracker follows motion: where two people cross it may go on with the wrong one. So what each of
two tracks shows when they have come apart is compared with what both showed before they met.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections, areas, intersections
from trackers.single_camera.continuity import SamePerson

# Two meet when so much of the smaller box is shared; nobody is near who shares no more than this.
_MET, _CLEAR = 0.25, 0.1
# A track that was not seen for so long after a meeting will not come out of it.
_LOST_S = 0.5
# So much more alike, in cosines after removing what strangers share, are two exchanged tracks
# together, and one that goes on as a track that was lost.
_EXCHANGED, _TAKEN = 0.3, 0.25


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
        self, tracked: Detections, fit: NDArray[np.bool_], timestamp: float
    ) -> list[Parting]:
        """The tracks that have come apart in this frame, of boxes that are ``fit`` ``(N,)`` to be
        compared."""
        assert tracked.track_ids is not None
        ids = tracked.track_ids.tolist()
        shares = _shares(tracked.boxes)
        for a, b in combinations(range(len(ids)), 2):
            if shares[a, b] >= _MET:
                self._meet(ids[a], ids[b], float(shares[a, b]), timestamp)
        alone = shares.max(axis=1, initial=0.0) <= _CLEAR
        clear = {track for track, a, f in zip(ids, alone, fit, strict=True) if a and f}
        partings = [
            parting
            for pair, meeting in sorted(self._meetings.items())
            if (parting := _parting(pair, meeting, {*ids}, clear, timestamp))
        ]
        for parting in partings:
            del self._meetings[_pair(parting.one, parting.other)]
        self._forget(timestamp)
        return partings

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
    """Whether each of two tracks looks after the meeting as the other did before: ``(D,)``."""
    kept = same.likeness(before[0], after[0]) + same.likeness(before[1], after[1])
    exchanged = same.likeness(before[0], after[1]) + same.likeness(before[1], after[0])
    return exchanged - kept >= _EXCHANGED


def is_taken(own: Vector, lost: Vector, after: Vector, same: SamePerson) -> bool:
    """Whether a track looks after a meeting as one did that is lost since, and not as before."""
    likeness = same.likeness(lost, after)
    return likeness >= same.midpoint and likeness - same.likeness(own, after) >= _TAKEN
