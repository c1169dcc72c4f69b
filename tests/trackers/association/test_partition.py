"""What a change of the parting gains: as much as the whole is worth more afterwards."""

import math

import numpy as np
import pytest

from builders_trackers import (
    TRANSITIONS,
    evidence_of,
    given_or_not,
    random_tracklets,
    seen,
)
from trackers.association.partition import Partition


def partition_of(groups, topology=TRANSITIONS):
    return Partition(evidence_of(topology), lambda global_id: groups.get(global_id, []))


def test_nobody_is_worth_nothing():
    partition = partition_of({})
    assert partition.group(1).value == 0


def test_alone_nobody_says_anything_and_nothing_is_to_be_gained():
    one = seen("a", 1, 0, 0)
    partition = partition_of({1: [one]})
    assert partition.group(1).value == 0
    assert partition.judge(one, 1, []) is None
    assert partition.margin(one, 1, []) == math.inf


def test_two_who_look_alike_on_a_way_become_one():
    first, second = seen("a", 1, 0, 0), seen("b", 2, 15, 0)
    partition = partition_of({1: [first], 2: [second]})
    change = partition.judge(second, 2, [1])
    assert (change.moved, change.target, change.whole) == ((("b", 2),), 1, True)
    partition.apply(change, 1)
    assert partition.group(1).members == [first, second]
    assert partition.group(1).value == pytest.approx(change.gain)
    assert partition.group(2).members == []
    assert partition.margin(second, 1, []) == pytest.approx(change.gain)


def test_two_who_cannot_be_one_stay_apart():
    first, second = seen("a", 1, 0, 0), seen("b", 2, 5.5, 0)
    assert partition_of({1: [first], 2: [second]}).judge(second, 2, [1]) is None


def test_another_tracklet_in_the_middle_must_fit_with_those_after_it():
    chain = [seen("a", 1, 0, 0), seen("b", 2, 15, 0), seen("c", 3, 30, 0)]
    partition = partition_of({1: [chain[0], chain[2]], 2: [chain[1]]})
    assert partition.judge(chain[1], 2, [1]).target == 1
    there_too = seen("c", 4, 15, 0)
    partition = partition_of({1: [chain[0], chain[2]], 2: [there_too]})
    assert partition.judge(there_too, 2, [1]) is None


def test_a_tracklet_takes_those_after_it_along():
    """Person 1 went off at "b", where somebody else came."""
    mine = [seen("a", 1, 0, 0), seen("a", 2, 7, 0)]
    others = [seen("b", 3, 22, 90), seen("c", 4, 37, 90)]
    partition = partition_of({1: [*mine, *others]})
    change = partition.judge(others[0], 1, [])
    assert (change.moved, change.target) == ((("b", 3), ("c", 4)), None)
    partition.apply(change, 2)
    assert partition.group(1).members == mine
    assert partition.group(2).members == others


def test_what_was_decided_and_cannot_be_may_be_split_off_together():
    """Two tracklets at one time in two far cameras, which were one person before."""
    mine = [seen("a", 1, 0, 0), seen("a", 2, 7, 0)]
    both = [seen("b", 3, 22, 90), seen("c", 4, 22.5, 90)]
    partition = partition_of({1: [*mine, *both]})
    change = partition.judge(both[0], 1, [])
    partition.apply(change, 2)
    left = {t.key for t in partition.group(1).members}
    assert left.isdisjoint(change.moved)
    assert {t.key for t in partition.group(2).members} == {*change.moved}


@given_or_not
@pytest.mark.parametrize("seed", range(5))
def test_a_change_gains_what_it_says(seed, topology):
    rng = np.random.default_rng(seed)
    tracklets = random_tracklets(rng, 12, every_s=9.0)
    owner = {t.key: int(rng.integers(1, 5)) for t in tracklets}
    groups = {g: [t for t in tracklets if owner[t.key] == g] for g in range(1, 5)}
    partition = partition_of(groups, topology)
    changes = 0
    for tracklet in tracklets:
        source = next(g for g in range(1, 30) if tracklet in partition.group(g).members)
        change = partition.judge(tracklet, source, [g for g in range(1, 5) if g != source])
        if change is None:
            continue
        target, changes = change.target or 20 + changes, changes + 1
        before = partition.group(source).value + partition.group(target).value
        partition.apply(change, target)
        after = partition.group(source).value + partition.group(target).value
        assert after - before == pytest.approx(change.gain)
        assert change.gain > 0
    assert changes
    # Nothing that was found for the people before counts for those of now.
    anew = partition_of({g: partition.group(g).members for g in range(1, 30)}, topology)
    for tracklet in tracklets:
        source = next(g for g in range(1, 30) if tracklet in partition.group(g).members)
        others = [g for g in range(1, 30) if g != source]
        assert partition.judge(tracklet, source, others) == anew.judge(tracklet, source, others)
        assert partition.margin(tracklet, source, others) == anew.margin(tracklet, source, others)
