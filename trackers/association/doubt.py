"""How sure a solution is of the person of each tracklet.

A tracklet may be of someone else; and a whole person may be a part of another, of whom more was
seen. The first is judged by moving the tracklet, the second by joining the people.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trackers.association.partition import Partition
from trackers.tracklet import Tracklet, TrackletKey


def margins_of(
    tracklets: Iterable[Tracklet],
    owner: Mapping[TrackletKey, int],
    others: Mapping[TrackletKey, Sequence[int]],
    partition: Partition,
) -> dict[TrackletKey, float]:
    """The log-odds of each tracklet's owner over all else.

    ``others`` are the other people, in order, whom each tracklet may show.
    """
    near = _near(owner, others)
    doubts = {
        person: _part_of_another(person, beside, partition) for person, beside in near.items()
    }
    found = {}
    for tracklet in tracklets:
        mine = owner[tracklet.key]
        margin = partition.margin(tracklet, mine, others[tracklet.key])
        found[tracklet.key] = -log_of_sum([-margin, doubts.get(mine, -math.inf)])
    return found


def log_of_sum(logarithms: Sequence[float]) -> float:
    """The logarithm of the sum of what these are the logarithms of; -inf without any."""
    return float(np.logaddexp.reduce(np.array(logarithms, np.float64)))


def _near(
    owner: Mapping[TrackletKey, int], others: Mapping[TrackletKey, Sequence[int]]
) -> dict[int, set[int]]:
    """The people who may be one, both ways."""
    near: dict[int, set[int]] = defaultdict(set)
    for key, theirs in others.items():
        for other in theirs:
            near[owner[key]].add(other)
            near[other].add(owner[key])
    return near


def _part_of_another(person: int, others: Iterable[int], partition: Partition) -> float:
    """Log-odds that a person is one of ``others``, whose id counts as more of them was seen."""
    longer = [
        other for other in sorted(others) if _seen(other, partition) > _seen(person, partition)
    ]
    return log_of_sum([partition.gain(*sorted((person, other))) for other in longer])


def _seen(person: int, partition: Partition) -> tuple[float, int]:
    """For how many seconds; of two alike the first counts as more."""
    members = partition.group(person).members
    return sum(tracklet.end - tracklet.start for tracklet in members), -person
