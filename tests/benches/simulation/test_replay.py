"""A simulated day replayed to an association: identities and times."""

from itertools import count

import pytest

from simulation.clustering import Clustering
from simulation.people import people_of_a_day
from simulation.replay import idf1_of, replay
from simulation.site_graph import make_site
from trackers.association.association import Decision
from trackers.tracklet import Tracklet, TrackletKey

SITE = make_site(4, seed=1)
TRACKS = people_of_a_day(SITE, 60, seed=1)


class Oracle:
    """An oracle that knows every identity at once."""

    def __init__(self) -> None:
        self.new: list[TrackletKey] = []
        self.known: set[TrackletKey] = set()

    def observe(self, tracklet: Tracklet) -> None:
        if tracklet.key not in self.known:
            self.new.append(tracklet.key)
            self.known.add(tracklet.key)

    def decide(self, at: float) -> list[Decision]:
        new, self.new = self.new, []
        return [Decision(key, int(TRACKS.person[key[1] - 1]), 1, "assigned", "") for key in new]

    def forget(self, at: float) -> list[TrackletKey]:
        return []

    def finish(self) -> list[Decision]:
        return [Decision(("c0000", 1), 0, 1, "merged", "")]


def test_an_oracle_is_right_and_only_its_own_time_counts() -> None:
    ticks = count()
    replayed = replay(SITE, TRACKS, 1, Oracle(), lambda: float(next(ticks)))
    assert idf1_of(TRACKS, replayed.identity) == 1
    assert replayed.finished[0] == 0
    assert (replayed.finished[1:] == replayed.identity[1:]).all()
    # One tick for each second of the day: the clock is read before and after it.
    assert replayed.latencies_s.tolist() == [1.0] * len(TRACKS)
    assert replayed.finish_s == 1
    assert replayed.busy_s == next(ticks) / 2 - 1


def test_undecided_tracks_have_no_identity() -> None:
    replayed = replay(SITE, TRACKS, 1, Clustering(), lambda: 0.0)
    late = TRACKS.end > TRACKS.end.max() - 3
    assert (replayed.identity[~late] > 0).all()
    assert idf1_of(TRACKS, replayed.identity) == pytest.approx(1, abs=0.4)
