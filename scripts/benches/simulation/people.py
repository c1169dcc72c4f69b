"""Simulate the people of a day, and the tracks that single-camera trackers make of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.site_graph import SiteGraph

#: Tracks per minute and camera.
TRACKS_PER_MINUTE = 10.0
# Mean number of cameras that a person passes, at least one.
_VISITS = 8.0
_STAY_S, _STAY_SPREAD = 8.0, 0.5
_SHORTEST_STAY_S = 2.0
_PACE_SPREAD, _WALK_SPREAD = 0.2, 0.15
# Some people pause between cameras, out of view.
_PAUSES, _PAUSE_S = 0.05, 60.0
# Share of the shorter stay during which both of two overlapping cameras see the person.
_SHARED = 0.4
_TURNS_BACK = 0.1
_MISSED = 0.03
# Share of visits in which the single-camera tracker loses the person for longer than its buffer.
_BROKEN, _BREAK_S = 0.1, (1.5, 3.0)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The tracks of all cameras, one row per track, in order of ``start``; all arrays ``(T,)``.

    ``person`` and ``camera`` are indices, ``start`` and ``end`` are seconds. The pieces of a visit
    in which the tracker lost the person have the same ``visit``.
    """

    person: Ints
    camera: Ints
    visit: Ints
    start: Floats
    end: Floats

    def __len__(self) -> int:
        return len(self.person)

    def select(self, rows: NDArray[np.int64]) -> "Tracks":
        """The given ``rows``, in that order."""
        return Tracks(
            self.person[rows],
            self.camera[rows],
            self.visit[rows],
            self.start[rows],
            self.end[rows],
        )


def people_of_a_day(site: SiteGraph, tracks: int, seed: int) -> Tracks:
    """Exactly the first ``tracks`` tracks of people who enter at the doors and walk around.

    The arrival rate makes each camera equally busy whatever the size of the site.
    """
    rng = np.random.default_rng([seed, len(site.camera_ids), 1])
    per_visit = (1 - _MISSED) * (1 + _BROKEN)
    arrivals_per_s = TRACKS_PER_MINUTE / 60 * len(site.camera_ids) / _VISITS / per_visit
    people = int(1.3 * tracks / _VISITS / per_visit) + 20
    arrivals = np.cumsum(rng.exponential(1 / arrivals_per_s, people))
    seen = _as_tracked(_walk_about(site, arrivals, rng), rng)
    # People are simulated in order of arrival, so no earlier track is missing.
    found = seen.select(np.argsort(seen.start, kind="stable")[:tracks])
    assert len(found) == tracks
    return found


def _walk_about(site: SiteGraph, arrivals: Floats, rng: np.random.Generator) -> Tracks:
    """Simulate all people step by step, the n-th visit of all people at once."""
    links = _LinkTable(site)
    people = np.arange(len(arrivals))
    pace = rng.lognormal(0, _PACE_SPREAD, len(people))
    visits_left = rng.geometric(1 / _VISITS, len(people))
    camera = rng.choice(site.doors, len(people))
    came_from = np.full(len(people), -1)
    start = arrivals.copy()
    steps: list[tuple[Ints, Ints, Floats, Floats]] = []
    stay = _stays(len(people), rng)
    while len(people):
        steps.append((people, camera, start, start + stay))
        visits_left = visits_left - 1
        on = (visits_left > 0) & (links.count[camera] > 0)
        people, pace, visits_left = people[on], pace[on], visits_left[on]
        following, walk = links.choose(camera[on], came_from[on], rng)
        next_stay = _stays(len(people), rng)
        shared = np.where(walk == 0, _SHARED * np.minimum(stay[on], next_stay), 0.0)
        pause = (rng.random(len(people)) < _PAUSES) * rng.exponential(_PAUSE_S, len(people))
        pause[walk == 0] = 0.0
        between = walk / pace * rng.lognormal(0, _WALK_SPREAD, len(people)) + pause - shared
        start = start[on] + stay[on] + between
        came_from, camera, stay = camera[on], following, next_stay
    person, cameras, starts, ends = (
        np.concatenate([step[column] for step in steps]) for column in range(4)
    )
    return Tracks(person, cameras, np.arange(len(person)), starts, ends)


def _stays(count: int, rng: np.random.Generator) -> Floats:
    return np.maximum(_STAY_S * rng.lognormal(0, _STAY_SPREAD, count), _SHORTEST_STAY_S)


class _LinkTable:
    """The camera links as a table, grouped by camera."""

    def __init__(self, site: SiteGraph) -> None:
        both = np.concatenate([site.links, site.links[:, ::-1]])
        walks = np.concatenate([site.walks, site.walks])
        order = np.argsort(both[:, 0], kind="stable")
        self.count = np.bincount(both[:, 0], minlength=len(site.camera_ids))
        self._first = np.cumsum(self.count) - self.count
        self._to, self._walks = both[order, 1], walks[order]

    def choose(
        self, camera: Ints, came_from: Ints, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        """The next camera of each person and the walking time; few people turn back."""
        chosen = self._first[camera] + (rng.random(len(camera)) * self.count[camera]).astype(int)
        back = (self._to[chosen] == came_from) & (rng.random(len(camera)) >= _TURNS_BACK)
        aside = self._first[camera] + (chosen - self._first[camera] + 1) % self.count[camera]
        chosen = np.where(back, aside, chosen)
        return self._to[chosen], self._walks[chosen]


def _as_tracked(visits: Tracks, rng: np.random.Generator) -> Tracks:
    """Visits as tracks: some are missed, and some are split by the tracker."""
    visits = visits.select(np.flatnonzero(rng.random(len(visits)) >= _MISSED))
    lost_s = rng.uniform(*_BREAK_S, len(visits))
    whole_s = visits.end - visits.start - lost_s
    broken = (rng.random(len(visits)) < _BROKEN) & (whole_s > 2 * _SHORTEST_STAY_S)
    middle = visits.start + whole_s * rng.uniform(0.4, 0.6, len(visits))
    second = visits.select(np.flatnonzero(broken))
    return Tracks(
        np.concatenate([visits.person, second.person]),
        np.concatenate([visits.camera, second.camera]),
        np.concatenate([visits.visit, second.visit]),
        np.concatenate([visits.start, (middle + lost_s)[broken]]),
        np.concatenate([np.where(broken, middle, visits.end), second.end]),
    )
