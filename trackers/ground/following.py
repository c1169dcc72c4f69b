"""Track people on the ground through all calibrated cameras at once.

At each moment the boxes of every camera are assigned to the walkers that they fit best, one to one.
Contested assignments are then made again after an update with the boxes of the other cameras: an id
switch in one camera is corrected by the others. A walker is more likely to keep its track.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trackers.ground.exchange import Alternatives, Boxes, exchanged
from trackers.ground.kalman import (
    Observations,
    Walkers,
    across_costs,
    disagreement,
    fit_costs,
    no_walkers,
    observations,
    predicted,
    started,
    updated,
)
from trackers.ground.sides import FOOT
from trackers.ground.view import View
from trackers.tracklet import TrackletKey

# A box that fits no walker better than this is a new person; in the unit of `fit_costs`.
_NEW_PERSON = 16.0
# Bonus for the track that showed the walker in this camera less than this many seconds ago.
_SAME_TRACK, _SAME_TRACK_S = 1.5, 1.0
# A track keeps its walker at this cost when the box fits none, but is in line with the walker, up
# to this squared distance across the picture: people fall, jump and are half hidden.
_KEPT, _IN_LINE = 10.0, 9.0
# A walker with fewer boxes than this is tentative: it may be an error of the detector.
_TENTATIVE, _TENTATIVE_COST = 3, 2.0
_LOST_S, _TENTATIVE_LOST_S = 1.5, 0.3
# Weaker boxes continue walkers, but do not begin new ones.
_STRONG_SCORE = 0.5
# Walkers further from a box than this plus this share of its distance are not compared.
_REACH_M, _REACH = 3.0, 0.3
# Boxes that agree better than usual are trusted more, up to a limit. The usual residual after the
# update, as a share of the errors of boxes, and the least scale of errors.
_LEFT_OVER, _LEAST_SCALE = 0.5, 0.65
# This many boxes weigh as much as the usual residual.
_TRUST_BOXES = 100.0
_UNASSIGNED = 1e6

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Point:
    """One box of a track: ``foot`` and ``top`` are pixels down the picture, ``across`` its middle.

    ``x`` and ``y`` are metres on the ground, ``time`` seconds UTC; ``unsure`` as of
    `sides.uncertain_sides`.
    """

    time: float
    track_id: int
    across: float
    foot: float
    top: float
    x: float
    y: float
    score: float = 1.0
    unsure: int = 0


class _Fit(NamedTuple):
    """Assigned rows and columns, and whether other pairs were possible too."""

    pairs: Pairs
    contested: bool


@dataclass(slots=True)
class WalkerHistory:
    """The history of a walker: time of the last box, number of boxes, last track in each camera."""

    number: int
    last: float
    hits: int = 0
    tracks: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def tentative(self) -> bool:
        """Whether there were too few boxes yet to be sure of a person."""
        return self.hits < _TENTATIVE


class Exchange(NamedTuple):
    """From ``since`` on, seconds UTC, the walkers ``a`` and ``b`` had been taken for each other."""

    a: int
    b: int
    since: float


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of a moment: the walker of each track, the places of those seen, and who ended.

    ``exchanges`` are to be made in what was said before this moment.
    """

    time: float
    seen: dict[TrackletKey, int]
    places: dict[int, tuple[float, float]]
    gone: list[WalkerHistory]
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass(slots=True)
class Following:
    """The walkers of a site. ``views`` are its calibrated cameras."""

    views: Mapping[str, View]
    time: float = -math.inf
    next_number: int = 1
    walks: list[WalkerHistory] = field(default_factory=list)
    walkers: Walkers = field(default_factory=no_walkers)
    boxes: float = _TRUST_BOXES
    disagreement: float = 2 * _LEFT_OVER**2 * _TRUST_BOXES
    alternatives: Alternatives = field(default_factory=Alternatives)

    @property
    def scale(self) -> float:
        """The errors of boxes on this site, as a share of the usual ones."""
        left_over = math.sqrt(self.disagreement / (2 * self.boxes))
        return min(1.0, max(_LEAST_SCALE, left_over / _LEFT_OVER))

    def step(self, time: float, points: Mapping[str, Iterable[Point]]) -> StepResult:
        """Update with the points of one moment, later than the last, by camera."""
        self._walk(time)
        cameras = sorted(points)
        tracks = [sorted(points[camera_id], key=lambda p: p.track_id) for camera_id in cameras]
        seen = [self._observations(c, t) for c, t in zip(cameras, tracks, strict=True)]
        chosen = self._choose(cameras, tracks, seen)
        chosen = self._exchanged(cameras, tracks, seen, chosen)
        for one, pairs in zip(seen, chosen, strict=True):
            self.walkers = updated(self.walkers, one, *pairs)
        for one, pairs in zip(seen, chosen, strict=True):
            self._learn(one, pairs)
        exchanges = self._take_alternatives()
        first_new = len(self.walks)
        whose: dict[TrackletKey, int] = {}
        for camera_id, track, one, (rows, columns) in zip(
            cameras, tracks, seen, chosen, strict=True
        ):
            known = {int(row): int(column) for row, column in zip(rows, columns, strict=True)}
            known |= self._begin(camera_id, track, one, known, first_new)
            for row, column in known.items():
                self._update_walk(self.walks[column], camera_id, track[row].track_id)
                whose[camera_id, track[row].track_id] = self.walks[column].number
        places = {
            walk.number: (float(state[0]), float(state[1]))
            for walk, state in zip(self.walks, self.walkers.states, strict=True)
            if walk.last == time
        }
        return StepResult(time, whose, places, self.end_lost(time), exchanges)

    def _learn(self, seen: Observations, pairs: Pairs) -> None:
        rows, columns = pairs
        sure = np.array([not self.walks[column].tentative for column in columns], bool)
        if sure.any():
            off = disagreement(self.walkers, seen, rows[sure], columns[sure])
            self.disagreement += off
            self.boxes += int(sure.sum())

    def _walk(self, time: float) -> None:
        if math.isfinite(self.time):
            self.walkers = predicted(self.walkers, time - self.time)
            self.alternatives.predict(time - self.time)
        self.time = time

    def _observations(self, camera_id: str, points: list[Point]) -> Observations:
        boxes = np.array([(p.across, p.foot, p.top) for p in points]).reshape(-1, 3)
        ground = np.array([(p.x, p.y) for p in points]).reshape(-1, 2)
        unsure = np.array([p.unsure for p in points], np.int64)
        return observations(self.views[camera_id], boxes, ground, self.scale, unsure)

    def _choose(
        self, cameras: list[str], tracks: list[list[Point]], seen: list[Observations]
    ) -> list[Pairs]:
        """The assignments of each camera; contested ones with the boxes of the others."""
        near = [self._near(one) for one in seen]
        fits = [
            self._fit(camera_id, points, one, self.walkers.select(columns), columns)
            for camera_id, points, one, columns in zip(cameras, tracks, seen, near, strict=True)
        ]
        seen_by: dict[int, list[int]] = {}
        for camera, fit in enumerate(fits):
            for column in fit.pairs[1]:
                seen_by.setdefault(int(column), []).append(camera)
        chosen = [fit.pairs for fit in fits]
        for this in (camera for camera, fit in enumerate(fits) if fit.contested):
            others = {camera for column in near[this] for camera in seen_by.get(int(column), ())}
            nearby = self.walkers.select(near[this])
            for other in sorted(others - {this}):
                rows, columns = chosen[other]
                shared = np.isin(columns, near[this])
                where = np.searchsorted(near[this], columns[shared])
                nearby = updated(nearby, seen[other], rows[shared], where)
            again = self._fit(cameras[this], tracks[this], seen[this], nearby, near[this])
            chosen[this] = again.pairs
        return chosen

    def _exchanged(
        self,
        cameras: list[str],
        tracks: list[list[Point]],
        seen: list[Observations],
        chosen: list[Pairs],
    ) -> list[Pairs]:
        """The assignments after exchanges that all cameras together make likelier."""
        rows = np.full((len(seen), len(self.walks)), -1)
        for camera, (its, columns) in enumerate(chosen):
            rows[camera, columns] = its
        extra = [
            self._extra_costs(camera_id, points)
            for camera_id, points in zip(cameras, tracks, strict=True)
        ]
        boxes = Boxes(seen, rows, extra, _NEW_PERSON)
        rows = exchanged(self.walkers, boxes)
        certain = {w.number: column for column, w in enumerate(self.walks) if not w.tentative}
        self.alternatives.update(self.time, self.walkers, certain, boxes._replace(rows=rows))
        columns_of = [np.flatnonzero(its >= 0) for its in rows]
        return [(its[columns], columns) for its, columns in zip(rows, columns_of, strict=True)]

    def _take_alternatives(self) -> list[Exchange]:
        """Exchange the walkers whose alternative is clearly likelier by now."""
        found = []
        column_of = {walk.number: column for column, walk in enumerate(self.walks)}
        count = len(self.alternatives)
        for index in self.alternatives.clear():
            a, b = self.alternatives.numbers[index].tolist()
            one, other = column_of[a], column_of[b]
            # The column with the boxes of the one is the other from now on.
            self.walks[one].number, self.walks[other].number = b, a
            self.walkers = self.walkers.replaced(
                np.array([other, one]),
                self.alternatives.walkers.select(np.array([index, index + count])),
            )
            found.append(Exchange(a, b, float(self.alternatives.since[index])))
        taken = {number for exchange in found for number in (exchange.a, exchange.b)}
        pairs = self.alternatives.numbers.tolist()
        self.alternatives.keep(np.array([not taken & {*pair} for pair in pairs], np.bool_))
        return found

    def _extra_costs(self, camera_id: str, points: list[Point]) -> NDArray[np.float64]:
        """What a box costs beside its place: ``(N, W)`` for each walker."""
        same = self._same_track(camera_id, points, self.walks)
        return _tentative_costs(self.walks) - np.where(same, _SAME_TRACK, 0.0)

    def _same_track(
        self, camera_id: str, points: list[Point], walks: list[WalkerHistory]
    ) -> NDArray[np.bool_]:
        """Whether each box is of the last track of each walker in that camera, ``(N, W)``."""
        same = np.zeros((len(points), len(walks)), np.bool_)
        for column, walk in enumerate(walks):
            track_id, when = walk.tracks.get(camera_id, (0, -math.inf))
            if self.time - when <= _SAME_TRACK_S:
                same[:, column] = [point.track_id == track_id for point in points]
        return same

    def _near(self, seen: Observations) -> NDArray[np.intp]:
        """The walkers in reach of a box; the error on the ground grows with the distance."""
        if not len(seen.boxes) or not self.walks:
            return np.zeros(0, np.intp)
        reach = _REACH_M + _REACH * np.linalg.norm(seen.ground - seen.view.eye[:2], axis=1)
        reach = np.where(seen.unsure & FOOT, np.inf, reach)
        places = self.walkers.states[:, :2]
        distances = np.linalg.norm(places[None] - seen.ground[:, None], axis=2)
        return np.flatnonzero((distances < reach[:, None]).any(axis=0))

    def _fit(
        self,
        camera_id: str,
        points: list[Point],
        seen: Observations,
        walkers: Walkers,
        columns: NDArray[np.intp],
    ) -> _Fit:
        """Assign boxes to ``walkers``, which are ``columns`` of all walkers."""
        walks = [self.walks[column] for column in columns]
        cost = fit_costs(walkers, seen) + _tentative_costs(walks)
        in_line = np.zeros(cost.shape, bool)
        lost = np.flatnonzero(~(cost < _NEW_PERSON).any(axis=1))
        if len(lost):
            in_line[lost] = across_costs(walkers, seen.select(lost)) < _IN_LINE
        same = self._same_track(camera_id, points, walks)
        cost = cost - np.where(same, _SAME_TRACK, 0.0)
        cost = np.where(same & in_line, np.minimum(cost, _KEPT), cost)
        # Any possible assignment is better than none.
        cost = np.where(cost < _NEW_PERSON, cost - _UNASSIGNED, 0.0)
        rows, assigned = linear_sum_assignment(cost)
        fits = cost[rows, assigned] < 0
        contested = bool((cost < 0).sum() > fits.sum())
        return _Fit((rows[fits], columns[assigned[fits]]), contested)

    def _begin(
        self,
        camera_id: str,
        points: list[Point],
        seen: Observations,
        known: dict[int, int],
        first_new: int,
    ) -> dict[int, int]:
        """Assign the remaining boxes to walkers begun by another camera now, or to new ones."""
        left = np.array([row for row in range(len(points)) if row not in known], np.intp)
        if not len(left):
            return {}
        begun: dict[int, int] = {}
        if len(self.walks) > first_new:
            new = np.arange(first_new, len(self.walks))
            some, its = seen.select(left), [points[row] for row in left]
            fit = self._fit(camera_id, its, some, self.walkers.select(new), new)
            rows, columns = fit.pairs
            self.walkers = updated(self.walkers, some, rows, columns)
            begun = {int(left[r]): int(c) for r, c in zip(rows, columns, strict=True)}
        strong = [
            i
            for i in left
            if i not in begun and points[i].score >= _STRONG_SCORE and not points[i].unsure & FOOT
        ]
        self.walkers = self.walkers.with_more(started(seen.select(np.array(strong, np.intp))))
        for row in strong:
            begun[int(row)] = len(self.walks)
            self.walks.append(WalkerHistory(self.next_number, self.time))
            self.next_number += 1
        return begun

    def _update_walk(self, walk: WalkerHistory, camera_id: str, track_id: int) -> None:
        walk.last = self.time
        walk.hits += 1
        walk.tracks[camera_id] = track_id, self.time

    def remove(self, numbers: set[int]) -> None:
        """Remove these walkers; a person who is still there becomes a new one."""
        kept = np.array([walk.number not in numbers for walk in self.walks], bool)
        if not kept.all():
            self.walks = [walk for walk in self.walks if walk.number not in numbers]
            self.walkers = self.walkers.select(kept)

    def end_lost(self, time: float) -> list[WalkerHistory]:
        """Remove the walkers not seen for too long at ``time``; returns them."""
        lost = [
            time - walk.last > (_TENTATIVE_LOST_S if walk.tentative else _LOST_S)
            for walk in self.walks
        ]
        gone = [walk for walk, is_lost in zip(self.walks, lost, strict=True) if is_lost]
        if gone:
            self.walks = [walk for walk, out in zip(self.walks, lost, strict=True) if not out]
            self.walkers = self.walkers.select(~np.array(lost, bool))
        return gone


def _tentative_costs(walks: list[WalkerHistory]) -> NDArray[np.float64]:
    """What any box costs more for each walker, ``(W,)``."""
    return np.array([_TENTATIVE_COST if walk.tentative else 0.0 for walk in walks])
