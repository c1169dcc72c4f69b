"""Follow people on the ground through all calibrated cameras at once.

At each moment the boxes of every camera go to the walkers whom they fit best, one to one. Each
camera then chooses again, told what the others saw: an id switch in one camera is put right by
the others. Who was seen as a track before is more likely seen as that track again.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trackers.ground.kalman import (
    Sightings,
    Walkers,
    born,
    disagreement,
    misfits,
    nobody,
    sightings,
    updated,
    walked,
)
from trackers.ground.view import View
from trackers.tracklet import TrackletKey

# A box that fits nobody better than this is somebody new; in the unit of `misfits`.
_STRANGER = 16.0
# The track by which somebody was seen in a camera less than this ago is worth so much.
_SAME_TRACK, _SAME_TRACK_S = 1.5, 1.0
# Somebody who was hardly seen yet may be an error of a detector.
_DOUBTED, _DOUBT = 3, 2.0
_LOST_S, _DOUBTED_LOST_S = 1.5, 0.3
# Weak boxes go on with people, they do not begin them.
_STRONG_SCORE = 0.5
# Walkers further from a box than this, and than this part of its distance, are not looked at.
_REACH_M, _REACH = 3.0, 0.3
# Boxes that agree with one another better than usual are trusted more, up to a limit: what is left
# after people were put where their boxes are is this part of the boxes' errors, as a rule.
_LEFT_OVER, _LEAST_SCALE = 0.5, 0.65
# As many boxes weigh as much as the rule.
_TRUST_BOXES = 100.0
_NOBODY = 1e6

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Point:
    """One box of a track: ``foot`` and ``top`` are pixels down the picture, ``across`` its middle.

    ``x`` and ``y`` are metres on the ground, ``time`` seconds UTC.
    """

    time: float
    track_id: int
    across: float
    foot: float
    top: float
    x: float
    y: float
    score: float = 1.0


class _Fit(NamedTuple):
    """Rows and columns that belong together, and whether others would have fitted too."""

    pairs: Pairs
    contested: bool


@dataclass(slots=True)
class Walk:
    """What is remembered of a walker: when last seen, how often, and by which track in a camera."""

    number: int
    last: float
    hits: int = 0
    tracks: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def doubted(self) -> bool:
        """Whether this was hardly seen yet."""
        return self.hits < _DOUBTED


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one moment: whom each track shows, where everybody seen is, and who is gone."""

    time: float
    seen: dict[TrackletKey, int]
    places: dict[int, tuple[float, float]]
    gone: list[Walk]


@dataclass(slots=True)
class Following:
    """The walkers of a site. ``views`` are its calibrated cameras."""

    views: Mapping[str, View]
    time: float = -math.inf
    next_number: int = 1
    walks: list[Walk] = field(default_factory=list)
    walkers: Walkers = field(default_factory=nobody)
    boxes: float = _TRUST_BOXES
    disagreement: float = 2 * _LEFT_OVER**2 * _TRUST_BOXES

    @property
    def scale(self) -> float:
        """How large the errors of boxes are on this site, as a part of the usual ones."""
        left_over = math.sqrt(self.disagreement / (2 * self.boxes))
        return min(1.0, max(_LEAST_SCALE, left_over / _LEFT_OVER))

    def step(self, time: float, points: Mapping[str, Iterable[Point]]) -> Step:
        """Take what the cameras saw at one moment, later than the last, by camera."""
        self._walk(time)
        cameras = sorted(points)
        tracks = [sorted(points[camera_id], key=lambda p: p.track_id) for camera_id in cameras]
        seen = [self._sightings(c, t) for c, t in zip(cameras, tracks, strict=True)]
        chosen = self._choose(cameras, tracks, seen)
        for one, pairs in zip(seen, chosen, strict=True):
            self.walkers = updated(self.walkers, one, *pairs)
        for one, pairs in zip(seen, chosen, strict=True):
            self._learn(one, pairs)
        first_new = len(self.walks)
        whose: dict[TrackletKey, int] = {}
        for camera_id, track, one, (rows, columns) in zip(
            cameras, tracks, seen, chosen, strict=True
        ):
            known = {int(row): int(column) for row, column in zip(rows, columns, strict=True)}
            known |= self._begin(camera_id, track, one, known, first_new)
            for row, column in known.items():
                self._see(self.walks[column], camera_id, track[row].track_id)
                whose[camera_id, track[row].track_id] = self.walks[column].number
        places = {
            walk.number: (float(state[0]), float(state[1]))
            for walk, state in zip(self.walks, self.walkers.states, strict=True)
            if walk.last == time
        }
        return Step(time, whose, places, self.end_lost(time))

    def _learn(self, seen: Sightings, pairs: Pairs) -> None:
        rows, columns = pairs
        sure = np.array([not self.walks[column].doubted for column in columns], bool)
        if sure.any():
            off = disagreement(self.walkers, seen, rows[sure], columns[sure])
            self.disagreement += off
            self.boxes += int(sure.sum())

    def _walk(self, time: float) -> None:
        if math.isfinite(self.time):
            self.walkers = walked(self.walkers, time - self.time)
        self.time = time

    def _sightings(self, camera_id: str, points: list[Point]) -> Sightings:
        boxes = np.array([(p.across, p.foot, p.top) for p in points]).reshape(-1, 3)
        ground = np.array([(p.x, p.y) for p in points]).reshape(-1, 2)
        return sightings(self.views[camera_id], boxes, ground, self.scale)

    def _choose(
        self, cameras: list[str], tracks: list[list[Point]], seen: list[Sightings]
    ) -> list[Pairs]:
        """Which box is which walker, for each camera; where it is contested, after a talk."""
        near = [self._near(one) for one in seen]
        fits = [
            self._fit(camera_id, points, one, self.walkers.take(columns), columns)
            for camera_id, points, one, columns in zip(cameras, tracks, seen, near, strict=True)
        ]
        seen_by: dict[int, list[int]] = {}
        for camera, fit in enumerate(fits):
            for column in fit.pairs[1]:
                seen_by.setdefault(int(column), []).append(camera)
        chosen = [fit.pairs for fit in fits]
        for this in (camera for camera, fit in enumerate(fits) if fit.contested):
            others = {camera for column in near[this] for camera in seen_by.get(int(column), ())}
            told = self.walkers.take(near[this])
            for other in sorted(others - {this}):
                rows, columns = chosen[other]
                shared = np.isin(columns, near[this])
                where = np.searchsorted(near[this], columns[shared])
                told = updated(told, seen[other], rows[shared], where)
            again = self._fit(cameras[this], tracks[this], seen[this], told, near[this])
            chosen[this] = again.pairs
        return chosen

    def _near(self, seen: Sightings) -> NDArray[np.intp]:
        """The walkers that can be meant at all; far from a camera feet are far off."""
        if not len(seen.boxes) or not self.walks:
            return np.zeros(0, np.intp)
        reach = _REACH_M + _REACH * np.linalg.norm(seen.ground - seen.view.eye[:2], axis=1)
        places = self.walkers.states[:, :2]
        distances = np.linalg.norm(places[None] - seen.ground[:, None], axis=2)
        return np.flatnonzero((distances < reach[:, None]).any(axis=0))

    def _fit(
        self,
        camera_id: str,
        points: list[Point],
        seen: Sightings,
        walkers: Walkers,
        columns: NDArray[np.intp],
    ) -> _Fit:
        """Which box is which of ``walkers``, who are those of ``columns`` of all walkers."""
        cost = misfits(walkers, seen)
        walks = [self.walks[column] for column in columns]
        cost = cost + np.array([_DOUBT if walk.doubted else 0.0 for walk in walks])
        for column, walk in enumerate(walks):
            track_id, when = walk.tracks.get(camera_id, (0, -math.inf))
            if self.time - when <= _SAME_TRACK_S:
                cost[[p.track_id == track_id for p in points], column] -= _SAME_TRACK
        # All who fit at all are better than nobody.
        cost = np.where(cost < _STRANGER, cost - _NOBODY, 0.0)
        rows, taken = linear_sum_assignment(cost)
        fits = cost[rows, taken] < 0
        contested = bool((cost < 0).sum() > fits.sum())
        return _Fit((rows[fits], columns[taken[fits]]), contested)

    def _begin(
        self,
        camera_id: str,
        points: list[Point],
        seen: Sightings,
        known: dict[int, int],
        first_new: int,
    ) -> dict[int, int]:
        """The boxes that are nobody's: of those who began in another camera just now, or new."""
        left = np.array([row for row in range(len(points)) if row not in known], np.intp)
        if not len(left):
            return {}
        begun: dict[int, int] = {}
        if len(self.walks) > first_new:
            new = np.arange(first_new, len(self.walks))
            some, its = seen.take(left), [points[row] for row in left]
            fit = self._fit(camera_id, its, some, self.walkers.take(new), new)
            rows, columns = fit.pairs
            self.walkers = updated(self.walkers, some, rows, columns)
            begun = {int(left[r]): int(c) for r, c in zip(rows, columns, strict=True)}
        strong = [i for i in left if i not in begun and points[i].score >= _STRONG_SCORE]
        self.walkers = self.walkers.with_more(born(seen.take(np.array(strong, np.intp))))
        for row in strong:
            begun[int(row)] = len(self.walks)
            self.walks.append(Walk(self.next_number, self.time))
            self.next_number += 1
        return begun

    def _see(self, walk: Walk, camera_id: str, track_id: int) -> None:
        walk.last = self.time
        walk.hits += 1
        walk.tracks[camera_id] = track_id, self.time

    def leave(self, numbers: set[int]) -> None:
        """Follow these walkers no longer; who is still there is a new one."""
        kept = np.array([walk.number not in numbers for walk in self.walks], bool)
        if not kept.all():
            self.walks = [walk for walk in self.walks if walk.number not in numbers]
            self.walkers = self.walkers.take(kept)

    def end_lost(self, time: float) -> list[Walk]:
        """Drop the walkers who were not seen for too long at ``time``; returns them."""
        lost = [
            time - walk.last > (_DOUBTED_LOST_S if walk.doubted else _LOST_S) for walk in self.walks
        ]
        gone = [walk for walk, is_lost in zip(self.walks, lost, strict=True) if is_lost]
        if gone:
            self.walks = [walk for walk, out in zip(self.walks, lost, strict=True) if not out]
            self.walkers = self.walkers.take(~np.array(lost, bool))
        return gone
