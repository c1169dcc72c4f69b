"""Where a person in one picture is in that of another camera that sees the same ground.

People stand on a plane, so the footpoints of one person in two views are related by a homography,
and those of two people are not. It is fitted to people seen by both cameras at once, of whom nobody
knows which is which (random sample consensus over pairs of tracks), and it is believed when
several moving people agree with it, and far fewer do when the clock of one camera is shifted, where
agreement is chance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trackers.association.motion import AT_ONCE_S, PERSON_HEIGHT_M, distance_evidence, to_nearest
from trackers.tracklet import Tracklet

#: ``(N, 3)``: footpoint x and y, and box height, pixels.
Places = NDArray[np.float64]

# A pair of tracks is compared over at least this many moments and seconds.
_FEWEST_MOMENTS, _SHORTEST_S = 8, 4.0
# A track of a person who moves less, in heights of the person, tells nothing.
_LEAST_EXTENT = 0.3
# Two footpoints are of one person up to this distance, in heights of the person,
_NEAR = 0.15
# for this share of the moments.
_MOST = 0.8
# So many pairs of tracks begin a fit, and so often it is fitted again to all that agree.
_BEGINNINGS, _ROUNDS = 8, 2
# A map is trusted when this many pairs of tracks agree, over this many different places,
_FEWEST_PAIRS, _FEWEST_PLACES = 3, 20
# and over this many times more than with these shifts of a clock.
_OVER_CHANCE, _SHIFTS_S = 2.0, (5.0, -5.0, 9.0, -9.0, 13.0, -13.0)
# Places closer than this are one, in heights of the person.
_PLACE = 0.5
# The map holds around the places that it was fitted to, as far as this, in heights.
_BEYOND = 0.5
# In this many moments a known map says something.
_ENOUGH = 3
# The first rows of a single pair of tracks.
_ONE = np.zeros(1, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class ViewMap:
    """``matrix`` ``(3, 3)`` leads from the footpoints of one picture to those of another.

    It holds within ``here`` and ``there`` ``(4,)``: left, top, right, bottom in pixels.
    """

    matrix: NDArray[np.float64]
    here: NDArray[np.float64]
    there: NDArray[np.float64]

    def evidence(self, here: Tracklet, there: Tracklet) -> float:
        """Log-odds of one person over two, from the places of both at the same moments.

        0 when they were not seen at once where the map holds.
        """
        both = at_once(here, there)
        if both is None:
            return 0.0
        a, b = both
        errors = np.fmax(
            np.where(_inside(a, self.here), _errors(self.matrix, a, b, _ONE), np.nan),
            np.where(_inside(b, self.there), _errors(_inverse(self.matrix), b, a, _ONE), np.nan),
        )
        known = errors[np.isfinite(errors)]
        if len(known) < _ENOUGH:
            return 0.0
        return distance_evidence(_median(known) * PERSON_HEIGHT_M)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of tracks seen at once: the places of all in ``here`` and ``there``, one pair after the
    other, each from its row ``first`` on."""

    here: Places
    there: Places
    first: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """So many ``pairs`` agree with ``matrix``, at the moments of ``here`` and ``there``.

    They cover this many different ``places``.
    """

    matrix: NDArray[np.float64]
    here: Places
    there: Places
    pairs: int
    places: int


def at_once(a: Tracklet, b: Tracklet, shift_s: float = 0.0) -> tuple[Places, Places] | None:
    """The places of both at the moments of ``a`` at which ``b`` was seen too; None if there are
    none. ``shift_s`` is added to the clock of ``a``."""
    if min(a.end + shift_s, b.end) <= max(a.start + shift_s, b.start):
        return None
    times, others = a.path[:, 0] + shift_s, b.path[:, 0]
    if len(others) < 2 or not len(times):
        return None
    near = to_nearest(times, others) <= AT_ONCE_S
    both = near & (times >= others[0]) & (times <= others[-1])
    if not both.any():
        return None
    there = [np.interp(times[both], others, b.path[:, column]) for column in (1, 2, 3)]
    return a.path[both, 1:4], np.column_stack(there)


def tells_place(tracklet: Tracklet) -> float:
    """How much a tracklet can tell about a map; 0 for nothing."""
    if len(tracklet.path) < _FEWEST_MOMENTS or tracklet.end - tracklet.start < _SHORTEST_S:
        return 0.0
    return _extent(tracklet.path[:, 1:4]) * len(tracklet.path)


def fit_map(here: Sequence[Tracklet], there: Sequence[Tracklet]) -> ViewMap | None:
    """The map from the picture of the tracklets ``here`` to that of those ``there``.

    None when it cannot be told, or when the cameras see different places.
    """
    found = _best_fit(here, there, 0.0)
    if found is None or found.pairs < _FEWEST_PAIRS or found.places < _FEWEST_PLACES:
        return None
    for shift_s in _SHIFTS_S:
        chance = _best_fit(here, there, shift_s)
        if chance is not None and found.places < _OVER_CHANCE * chance.places:
            return None
    return ViewMap(found.matrix, _around(found.here), _around(found.there))


def _best_fit(here: Sequence[Tracklet], there: Sequence[Tracklet], shift_s: float) -> _Fit | None:
    pairs = [
        both
        for a in here
        for b in there
        if (both := at_once(a, b, shift_s)) is not None and len(both[0]) >= _FEWEST_MOMENTS
    ]
    if len(pairs) < _FEWEST_PAIRS:
        return None
    extent = [min(_extent(a), _extent(b)) for a, b in pairs]
    order = sorted(range(len(pairs)), key=lambda row: -extent[row] * len(pairs[row][0]))
    beginnings = [pairs[row] for row in order if extent[row] > _LEAST_EXTENT][:_BEGINNINGS]
    together = _together(pairs)
    fits = [fit for a, b in beginnings if (fit := _fit_from(a, b, together)) is not None]
    return max(fits, key=lambda fit: fit.places, default=None)


def _fit_from(a: Places, b: Places, pairs: _Pairs) -> _Fit | None:
    """A map fitted to one pair, and then to all pairs that agree with it."""
    best = None
    for _ in range(1 + _ROUNDS):
        matrix = _homography(a, b)
        fit = None if matrix is None else _agreeing(matrix, pairs)
        if fit is None or not fit.pairs or (best is not None and fit.places <= best.places):
            break
        best = fit
        a, b = fit.here, fit.there
    return best


def _homography(a: Places, b: Places) -> NDArray[np.float64] | None:
    near_px = _NEAR * _median(b[:, 2])
    matrix, _ = cv2.findHomography(a[:, :2], b[:, :2], cv2.RANSAC, near_px, maxIters=500)
    if matrix is None or abs(float(np.linalg.det(matrix))) < 1e-12:
        return None
    return np.asarray(matrix, np.float64)


def _agreeing(matrix: NDArray[np.float64], pairs: _Pairs) -> _Fit:
    a, b, first = pairs.here, pairs.there, pairs.first
    there = _errors(matrix, a, b, first)
    near = np.maximum(there, _errors(_inverse(matrix), b, a, first)) <= _NEAR
    moments = np.diff(first, append=len(a))
    agree = np.add.reduceat(near, first, dtype=np.intp) / moments >= _MOST
    places = 0
    for row, count in zip(first[agree].tolist(), moments[agree].tolist(), strict=True):
        rows = slice(row, row + count)
        places += min(_places(a[rows][near[rows]]), _places(b[rows][near[rows]]))
    kept = near & np.repeat(agree, moments)
    return _Fit(matrix, a[kept], b[kept], int(agree.sum()), places)


def _errors(
    matrix: NDArray[np.float64], a: Places, b: Places, first: NDArray[np.intp]
) -> NDArray[np.float64]:
    """``(N,)`` distances of ``b`` from where ``a`` is mapped to, in heights of the person.

    They are those of several pairs of tracks, each from its row of ``first`` on.
    """
    x, y, scale = matrix[:, :2] @ a[:, :2].T + matrix[:, 2:]
    # No person is beyond the horizon.
    side = np.add.reduceat(np.sign(scale), first)
    beyond = scale * np.repeat(side, np.diff(first, append=len(a))) <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.hypot(x / scale - b[:, 0], y / scale - b[:, 1]) / np.maximum(b[:, 2], 1.0)
    return np.where(beyond | ~np.isfinite(off), 1e3, off)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix))


def _extent(places: Places) -> float:
    """How far a person moved: the standard deviation of the place, in heights of the person."""
    if len(places) < _FEWEST_MOMENTS:
        return 0.0
    height = max(_median(places[:, 2]), 1.0)
    return math.sqrt(float(places[:, :2].var(axis=0).sum())) / height


def _median(values: NDArray[np.float64]) -> float:
    """As `numpy.median`, which takes many times as long for so few."""
    in_order = np.sort(values)
    return float(in_order[(len(values) - 1) // 2] + in_order[len(values) // 2]) / 2


def _places(places: Places) -> int:
    """The number of different places; across the picture they look half as deep."""
    size = _PLACE * max(_median(places[:, 2]), 1.0)
    return len({(int(x // size), int(y // (size / 2))) for x, y in places[:, :2].tolist()})


def _together(pairs: Sequence[tuple[Places, Places]]) -> _Pairs:
    first = np.cumsum([0, *(len(a) for a, _ in pairs[:-1])])
    here, there = (np.concatenate(places) for places in zip(*pairs, strict=True))
    return _Pairs(here, there, first)


def _around(places: Places) -> NDArray[np.float64]:
    margin = _BEYOND * _median(places[:, 2])
    low, high = places[:, :2].min(axis=0) - margin, places[:, :2].max(axis=0) + margin
    return np.concatenate([low, high])


def _inside(places: Places, area: NDArray[np.float64]) -> NDArray[np.bool_]:
    x, y = places[:, 0], places[:, 1]
    return np.asarray((x >= area[0]) & (x <= area[2]) & (y >= area[1]) & (y <= area[3]))
