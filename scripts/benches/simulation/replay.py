"""Show a simulated day to an association, second by second, and take its time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulation.people import Tracks
from simulation.score import idf1
from simulation.site_graph import SiteGraph
from simulation.stream import stream
from trackers.association.association import Decision
from trackers.tracklet import Tracklet, TrackletKey


class Links(Protocol):
    """What links tracklets to people."""

    def observe(self, tracklet: Tracklet) -> None:
        """Take a revision of a tracklet."""

    def decide(self, at: float) -> list[Decision]:
        """Decide at a moment, seconds."""

    def forget(self, at: float) -> list[TrackletKey]:
        """Drop what is of no more use."""

    def finish(self) -> list[Decision]:
        """Decide once more when all is over."""


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """``identity`` ``(T,)`` is who each track was taken for when the day was over, -1 for nobody;
    ``finished`` the same after the finish, which took ``finish_s``.

    ``busy_s`` is the time spent in the association, ``latencies_s`` ``(N,)`` for each first
    decision the time from the second's first tracklet to all decisions of that second.
    """

    identity: NDArray[np.int64]
    finished: NDArray[np.int64]
    finish_s: float
    busy_s: float
    latencies_s: NDArray[np.float64]


def replay(
    site: SiteGraph, tracks: Tracks, seed: int, links: Links, clock: Callable[[], float]
) -> Replayed:
    """Every second of the day in order; what the simulation itself costs is left out."""
    identity = np.full(len(tracks), -1, np.int64)
    busy_s = 0.0
    latencies: list[float] = []
    for at, tracklets in stream(site, tracks, seed):
        begin = clock()
        for tracklet in tracklets:
            links.observe(tracklet)
        decisions = links.decide(at)
        links.forget(at)
        spent_s = clock() - begin
        busy_s += spent_s
        for decision in decisions:
            row = decision.key[1] - 1
            if identity[row] < 0:
                latencies.append(spent_s)
            identity[row] = decision.global_id
    begin = clock()
    decisions = links.finish()
    finish_s = clock() - begin
    finished = identity.copy()
    for decision in decisions:
        finished[decision.key[1] - 1] = decision.global_id
    return Replayed(identity, finished, finish_s, busy_s, np.array(latencies))


def idf1_of(tracks: Tracks, identity: NDArray[np.int64]) -> float:
    """IDF1 of who the tracks were taken for against who they were."""
    return idf1(tracks.person, identity, tracks.end - tracks.start)
