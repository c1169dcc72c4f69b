"""The log of walks on the ground: their paths, and the parts of tracks that show them.

A walk becomes a tracklet of the ground, as if the ground were one camera with a view of everything:
a person is never in two places at one time.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackers.ground.exchange import Alternatives
from trackers.ground.following import Following, StepResult, WalkerHistory
from trackers.ground.kalman import Walkers, no_walkers
from trackers.tracklet import GROUND, Tracklet, TrackletKey

_HEIGHT_M = 1.7
_PATH_LENGTH = 512
_EXEMPLARS = 16
# The crop of an exemplar and the point of a path are of one frame.
_ROUNDING_S = 1e-3


@dataclass(frozen=True, slots=True)
class Piece:
    """From ``since`` on (seconds UTC) the track shows this walker, until another piece begins.

    ``first`` is the piece with which the track begins; one that ``moved`` showed another walker
    before an exchange.
    """

    key: TrackletKey
    since: float
    first: bool
    moved: bool = False


@dataclass(slots=True)
class WalkRecord:
    """One walk so far. ``path`` has time, x and y; the first ``decided`` pieces have decisions."""

    pieces: list[Piece] = field(default_factory=list)
    path: list[tuple[float, float, float]] = field(default_factory=list)
    count: int = 0
    revision: int = 0
    decided: int = 0
    confidence: float = 0.0


@dataclass(slots=True)
class WalkLog:
    """All walks that are not forgotten, by number, and the walks of each track by their start."""

    walks: dict[int, WalkRecord] = field(default_factory=dict)
    shown: dict[TrackletKey, list[tuple[float, int]]] = field(default_factory=dict)

    def add(self, step: StepResult, times: Mapping[TrackletKey, float]) -> None:
        """Add the result of one moment; ``times`` is the exact time of each track."""
        for key, number in step.seen.items():
            walk = self.walks.setdefault(number, WalkRecord())
            walk.count += 1
            shown = self.shown.setdefault(key, [])
            if not shown or shown[-1][1] != number:
                walk.pieces.append(Piece(key, times[key], first=not shown))
                shown.append((times[key], number))
        for number, place in step.places.items():
            path = self.walks[number].path
            path.append((step.time, *place))
            if len(path) > _PATH_LENGTH:
                # The start is kept as the place of origin; the middle is thinned out.
                del path[1:-1:2]

    def exchange(
        self, a: int, b: int, since: float, tracklets: Mapping[TrackletKey, Tracklet]
    ) -> None:
        """Make two walks each other from ``since`` on; ``tracklets`` are those of their tracks."""
        other = {a: b, b: a}
        one, two = self.walks[a], self.walks[b]
        keys = sorted({piece.key for walk in (one, two) for piece in walk.pieces})
        later = {a: _cut_off(one, since), b: _cut_off(two, since)}
        for key in keys:
            tracklet = tracklets.get(key)
            found: list[tuple[float, int]] = []
            for (at, number), until in _with_ends(self.shown[key]):
                found.append((at, other.get(number, number) if at >= since else number))
                goes_on = tracklet is not None and tracklet.end >= since
                if number in other and at < since < until and goes_on:
                    found.append((since, other[number]))
                    later[number].append(Piece(key, since, first=False))
            self.shown[key] = found
        one.pieces += later[b]
        two.pieces += later[a]
        paths = one.path, two.path
        one.path, two.path = (
            [step for step in before if step[0] < since] + [s for s in after if s[0] >= since]
            for before, after in (paths, paths[::-1])
        )

    def drop(self, number: int) -> None:
        """Forget a walk."""
        for key in {piece.key for piece in self.walks.pop(number).pieces}:
            others = [show for show in self.shown[key] if show[1] != number]
            if others:
                self.shown[key] = others
            else:
                del self.shown[key]

    def tracklet(
        self, number: int, tracklets: Mapping[TrackletKey, Tracklet], *, closed: bool
    ) -> Tracklet:
        """The next revision of a walk, with the best exemplars of the tracks it is made of."""
        walk = self.walks[number]
        walk.revision += 1
        found = sorted(self._exemplars(number, tracklets), key=lambda e: (-e[0], e[1], e[2]))
        best = sorted(found[:_EXEMPLARS], key=lambda e: (e[1], e[2]))
        path = np.array(walk.path)
        # In place of pixels: centimetres.
        pixels = np.column_stack([path[:, 1:] * 100, np.full(len(path), _HEIGHT_M * 100)])
        return Tracklet(
            camera_id=GROUND,
            track_id=number,
            revision=walk.revision,
            start=walk.path[0][0],
            end=walk.path[-1][0],
            count=walk.count,
            closed=closed,
            exemplars=np.array([e[3] for e in best], np.float32).reshape(
                len(best), -1 if best else 0
            ),
            qualities=np.array([e[0] for e in best], np.float32),
            exemplar_times=np.array([e[1] for e in best], np.float64),
            path=np.column_stack([path[:, 0], pixels]),
            ground=path[:, 1:].copy(),
        )

    def _exemplars(
        self, number: int, tracklets: Mapping[TrackletKey, Tracklet]
    ) -> Iterator[tuple[float, float, TrackletKey, NDArray[np.float32]]]:
        """Quality, time, track and embedding of every exemplar of this walker."""
        for key in sorted({piece.key for piece in self.walks[number].pieces}):
            tracklet = tracklets.get(key)
            if tracklet is None or not len(tracklet.exemplars):
                continue
            whose = self._whose(key, tracklet.exemplar_times)
            for row in np.flatnonzero(whose == number):
                quality = float(tracklet.qualities[row])
                yield quality, float(tracklet.exemplar_times[row]), key, tracklet.exemplars[row]

    def _whose(self, key: TrackletKey, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """The walk that a track shows at each of ``times``; before the first, the first."""
        shown = self.shown[key]
        at = np.searchsorted([since for since, _ in shown], times + _ROUNDING_S, side="right") - 1
        return np.array([number for _, number in shown])[np.maximum(at, 0)]


def _cut_off(walk: WalkRecord, since: float) -> list[Piece]:
    """Take the pieces that begin at ``since`` or later off a walk."""
    kept = [piece for piece in walk.pieces if piece.since < since]
    off = [
        replace(piece, moved=piece.moved or number < walk.decided)
        for number, piece in enumerate(walk.pieces)
        if piece.since >= since
    ]
    walk.decided = sum(piece.since < since for piece in walk.pieces[: walk.decided])
    walk.pieces = kept
    return off


def _with_ends(shown: list[tuple[float, int]]) -> Iterator[tuple[tuple[float, int], float]]:
    """Each with the time of the next, infinite for the last."""
    return zip(shown, [*(at for at, _ in shown[1:]), math.inf], strict=True)


Memory = dict[str, Any]


def following_memory(following: Following) -> Memory:
    """All of ``following`` but its views."""
    return {
        "time": following.time,
        "next": following.next_number,
        "boxes": [following.boxes, following.disagreement],
        "walks": [[w.number, w.last, w.hits, sorted(w.tracks.items())] for w in following.walks],
        "states": following.walkers.states.tolist(),
        "spreads": following.walkers.spreads.tolist(),
        "alternatives": _alternatives_memory(following.alternatives),
    }


def remember_following(following: Following, memory: Memory) -> None:
    """Restore what `following_memory` returned."""
    following.time = memory["time"]
    following.next_number = memory["next"]
    following.boxes, following.disagreement = memory["boxes"]
    following.walks = [
        WalkerHistory(
            number, last, hits, {camera_id: (track, when) for camera_id, (track, when) in tracks}
        )
        for number, last, hits, tracks in memory["walks"]
    ]
    following.walkers = (
        Walkers(np.array(memory["states"]), np.array(memory["spreads"]))
        if following.walks
        else no_walkers()
    )
    if memory.get("alternatives"):
        following.alternatives = _remembered_alternatives(memory["alternatives"])


def _alternatives_memory(known: Alternatives) -> list[Any]:
    if not len(known):
        return []
    walkers = known.walkers
    arrays = known.numbers, known.since, known.excess, walkers.states, walkers.spreads
    return [array.tolist() for array in arrays]


def _remembered_alternatives(memory: list[Any]) -> Alternatives:
    numbers, *arrays = memory
    since, excess, states, spreads = (np.array(array, np.float64) for array in arrays)
    return Alternatives(np.array(numbers, np.int64), since, excess, Walkers(states, spreads))


def log_memory(log: WalkLog) -> Memory:
    """All of ``log``."""
    return {
        "walks": [
            [
                number,
                [[*piece.key, piece.since, piece.first, piece.moved] for piece in walk.pieces],
                [list(step) for step in walk.path],
                [walk.count, walk.revision, walk.decided, walk.confidence],
            ]
            for number, walk in sorted(log.walks.items())
        ],
        "shown": [[*key, [list(show) for show in shown]] for key, shown in log.shown.items()],
    }


def remembered_log(memory: Memory) -> WalkLog:
    """The log that `log_memory` returned ``memory`` of."""
    return WalkLog(
        walks={
            number: WalkRecord(
                [
                    Piece((camera_id, track), since, *flags)
                    for camera_id, track, since, *flags in pieces
                ],
                [(time, x, y) for time, x, y in path],
                *numbers,
            )
            for number, pieces, path, numbers in memory["walks"]
        },
        shown={
            (camera_id, track): [(since, number) for since, number in shown]
            for camera_id, track, shown in memory["shown"]
        },
    )
