"""Replay a simulated day to an association, second by second, and measure its time."""

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


class AssociationUnderTest(Protocol):
    """The interface of an association under test."""

    def observe(self, tracklet: Tracklet) -> None:
        """Add a revision of a tracklet."""

    def decide(self, at: float) -> list[Decision]:
        """Decide at the event time ``at``, seconds."""

    def forget(self, at: float) -> list[TrackletKey]:
        """Forget what is no longer needed."""

    def finish(self) -> list[Decision]:
        """Make the final decisions at the end."""


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """``identity`` ``(T,)`` is the identity of each track at the end of the day, -1 for none;
    ``finished`` the same after `finish`, which took ``finish_s``.

    ``busy_s`` is the time spent in the association. ``latencies_s`` ``(N,)`` is, for the first
    decision on each track, the time from the first tracklet of that second to its decisions.
    """

    identity: NDArray[np.int64]
    finished: NDArray[np.int64]
    finish_s: float
    busy_s: float
    latencies_s: NDArray[np.float64]


def replay(
    site: SiteGraph,
    tracks: Tracks,
    seed: int,
    links: AssociationUnderTest,
    clock: Callable[[], float],
) -> Replayed:
    """Replay every second of the day in order; the time of the simulation is not counted."""
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
    """IDF1 of the assigned identities against the simulated people."""
    return idf1(tracks.person, identity, tracks.end - tracks.start)
