"""A simulated walk: people arrive one by one, pass cameras, and become tracks with errors.

Every visit shows other crops of the person in that camera. Tracks are missed, broken, and now and
then, where two people are in one picture at one time, swapped.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from walking.crops import Crops

#: The most crops of a visit, and exemplars of a track.
CROPS = 8
_SPACING_S = 0.5
# Seconds between two arrivals, of a stay in a view, and between two views.
_ARRIVAL_S = 3.0
_STAY_S, _STAY_SPREAD, _SHORTEST_S = 7.0, 0.4, 2.0
_TRANSIT_S, _TRANSIT_SPREAD = (4.0, 25.0), 0.25
_PAUSES, _PAUSE_S = 0.05, 30.0
# With three cameras or more: the share of pairs of views that overlap, and for how many seconds.
_OVERLAPPING, _OVERLAP_S = 0.2, 3.0
# The share of people seen by one camera only, and of those who return to one.
_ONCE, _BACK = 0.2, 0.15
# The share of missed and broken visits and of swapped pairs of tracks.
_MISSED, _BROKEN, _BREAK_S = 0.03, 0.08, (1.5, 3.0)
_SWAPPED, _SWAP_S = 0.03, 2.0
_WIDTH_PX, _FEET_PX, _PERSON_PX = 1920.0, (500.0, 1000.0), (150.0, 400.0)


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A person in the view of a camera; ``rows`` are crops.

    The path through the picture is straight from ``entry`` to ``leave``, pixels.
    """

    number: int
    person: int
    camera: int
    start: float
    end: float
    rows: tuple[int, ...]
    entry: tuple[float, float]
    leave: tuple[float, float]

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(N, 3)``: footpoint and height of the box, pixels."""
        share = ((times - self.start) / (self.end - self.start))[:, None]
        feet = (1 - share) * np.array(self.entry) + share * np.array(self.leave)
        return np.column_stack([feet, np.interp(feet[:, 1], _FEET_PX, _PERSON_PX)])

    def crops(self) -> list[tuple[float, int]]:
        """Time and row of each crop; where there are too few, they are repeated."""
        count = max(len(self.rows), min(CROPS, int((self.end - self.start) / _SPACING_S)))
        step = (self.end - self.start) / count
        shown = [self.rows[n * len(self.rows) // count] for n in range(count)]
        return [(self.start + step * (n + 0.5), row) for n, row in enumerate(shown)]


@dataclass(frozen=True, slots=True, eq=False)
class ShownVisit:
    """A track shows a visit from ``start`` to ``end``."""

    visit: Visit
    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A track: the pieces of visits that it shows, in order of time."""

    pieces: tuple[ShownVisit, ...]

    @property
    def camera(self) -> int:
        """Where it is."""
        return self.pieces[0].visit.camera

    @property
    def start(self) -> float:
        """When it begins, seconds."""
        return self.pieces[0].start

    @property
    def end(self) -> float:
        """When it ends, seconds."""
        return self.pieces[-1].end

    def crops(self) -> list[tuple[float, int]]:
        """Time and row of each crop."""
        return [
            (time, row)
            for piece in self.pieces
            for time, row in piece.visit.crops()
            if piece.start <= time <= piece.end
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """``visits`` are the ground truth, ``tracks`` the simulated tracks, by their start."""

    cameras: int
    visits: tuple[Visit, ...]
    tracks: tuple[Track, ...]


def make_scene(
    crops: Crops, people: int, cameras: int, seed: int, *, arrival_s: float = _ARRIVAL_S
) -> Scene:
    """``people`` of ``crops`` walk past ``cameras`` of its cameras; the same seed, the same walk.

    One comes ``arrival_s`` seconds after the other on average.

    Raises ValueError when fewer people were seen by two of the cameras.
    """
    rng = np.random.default_rng([seed, people, cameras])
    chosen = rng.choice(np.unique(crops.camera), cameras, replace=False)
    seen = _rows(crops, chosen.tolist(), rng)
    there = [person for person, views in sorted(seen.items()) if len(views) > 1]
    if len(there) < people:
        raise ValueError(f"only {len(there)} people were seen by two cameras, not {people}")
    transit = _transits(cameras, rng)
    visits: list[Visit] = []
    came = 0.0
    for number, person in enumerate(rng.permutation(there)[:people].tolist()):
        came += float(rng.exponential(arrival_s))
        visits += _walk(number, seen[person], came, transit, len(visits), rng)
    return Scene(cameras, tuple(visits), tuple(_tracks(visits, rng)))


def _rows(
    crops: Crops, cameras: list[int], rng: np.random.Generator
) -> dict[int, dict[int, list[int]]]:
    """Of each person and each of ``cameras`` (by its place) the rows, in any order."""
    found: dict[int, dict[int, list[int]]] = defaultdict(dict)
    for place, camera in enumerate(cameras):
        rows = rng.permutation(np.flatnonzero(crops.camera == camera))
        for row in rows.tolist():
            found[int(crops.person[row])].setdefault(place, []).append(row)
    return found


def _transits(cameras: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(C, C)`` typical seconds from one view to another; below 0 where they overlap."""
    transit = np.zeros((cameras, cameras))
    for a, b in combinations(range(cameras), 2):
        overlaps = cameras > 2 and rng.random() < _OVERLAPPING
        transit[a, b] = transit[b, a] = -_OVERLAP_S if overlaps else rng.uniform(*_TRANSIT_S)
    return transit


def _walk(
    person: int,
    views: dict[int, list[int]],
    came: float,
    transit: NDArray[np.float64],
    first: int,
    rng: np.random.Generator,
) -> Iterator[Visit]:
    left = {camera: list(rows) for camera, rows in views.items()}
    route = rng.permutation(sorted(left)).tolist()
    if rng.random() < _ONCE:
        route = route[:1]
    elif rng.random() < _BACK and len(left[route[0]]) > 3:
        route = [*route, route[0]]
    start = came
    for step, camera in enumerate(route):
        again = camera in route[step + 1 :]
        most = len(left[camera]) // 2 if again else len(left[camera])
        rows, left[camera] = left[camera][: min(most, CROPS)], left[camera][min(most, CROPS) :]
        stay = max(_SHORTEST_S, _STAY_S * float(rng.lognormal(0, _STAY_SPREAD)))
        feet = rng.uniform(*_FEET_PX, 2).tolist()
        sides = (0.0, _WIDTH_PX) if rng.random() < 0.5 else (_WIDTH_PX, 0.0)
        yield Visit(
            first + step,
            person,
            camera,
            start,
            start + stay,
            tuple(rows),
            (sides[0], feet[0]),
            (sides[1], feet[1]),
        )
        if step + 1 < len(route):
            typical = float(transit[camera, route[step + 1]])
            pause = float(rng.exponential(_PAUSE_S)) if rng.random() < _PAUSES else 0.0
            walk = typical * float(rng.lognormal(0, _TRANSIT_SPREAD)) + pause
            start += stay + (max(walk, 0.5 - stay) if typical < 0 else walk)


def _tracks(visits: list[Visit], rng: np.random.Generator) -> list[Track]:
    tracks: list[Track] = []
    for visit in visits:
        chance = rng.random()
        middle = visit.start + (visit.end - visit.start) * float(rng.uniform(0.4, 0.6))
        lost = float(rng.uniform(*_BREAK_S))
        if chance < _MISSED:
            continue
        if chance < _MISSED + _BROKEN and middle + lost + 1.0 < visit.end:
            tracks.append(Track((ShownVisit(visit, visit.start, middle),)))
            tracks.append(Track((ShownVisit(visit, middle + lost, visit.end),)))
        else:
            tracks.append(Track((ShownVisit(visit, visit.start, visit.end),)))
    tracks.sort(key=lambda track: track.start)
    return _with_swaps(tracks, rng)


def _with_swaps(tracks: list[Track], rng: np.random.Generator) -> list[Track]:
    """Swap some pairs of tracks that are in one picture at one time."""
    for a, b in combinations(range(len(tracks)), 2):
        one, other = tracks[a], tracks[b]
        since, until = max(one.start, other.start), min(one.end, other.end)
        if one.camera != other.camera or until - since < _SWAP_S or rng.random() >= _SWAPPED:
            continue
        at = float(rng.uniform(since, until))
        tracks[a] = Track((*_until(one, at), *_from(other, at)))
        tracks[b] = Track((*_until(other, at), *_from(one, at)))
    return tracks


def _until(track: Track, at: float) -> Iterator[ShownVisit]:
    for piece in track.pieces:
        if piece.start < at:
            yield replace(piece, end=min(piece.end, at))


def _from(track: Track, at: float) -> Iterator[ShownVisit]:
    for piece in track.pieces:
        if piece.end > at:
            yield replace(piece, start=max(piece.start, at))
