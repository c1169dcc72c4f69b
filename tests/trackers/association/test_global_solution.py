"""One solution over all tracklets: never worth less than the ids it begins with."""

import numpy as np
import pytest

from builders_trackers import (
    TRANSITIONS,
    evidence_of,
    given_or_not,
    make_people,
    random_tracklets,
    seen,
)
from trackers.association.global_solution import agglomerate, earlier_ones, improve, renamed, solve
from trackers.association.partition import Partition


def solved(members, topology=TRANSITIONS):
    return solve(make_people(members, topology), evidence_of(topology), topology)


def test_nobody():
    judged = solved({})
    assert (judged.owner, judged.margins) == ({}, {})


def test_one_who_was_two_becomes_one_under_the_older_id():
    judged = solved({1: [seen("a", 1, 0, 0)], 2: [seen("b", 2, 15, 0)]})
    assert judged.owner == {("b", 2): 1}
    assert judged.margins[("b", 2)] > 0


def test_two_who_were_one_are_parted():
    mine = [seen("a", 1, 0, 0), seen("a", 2, 7, 0)]
    others = [seen("b", 3, 22, 90), seen("c", 4, 37, 90)]
    assert solved({1: [*mine, *others]}).owner == {("b", 3): 2, ("c", 4): 2}


def test_whose_transitions_are_not_known_are_joined_by_their_appearance():
    judged = solved({1: [seen("a", 1, 0, 0)], 2: [seen("x", 2, 15, 0)], 3: [seen("x", 3, 40, 90)]})
    assert judged.owner == {("x", 2): 1}


def test_nobody_to_join():
    assert agglomerate([], {}, evidence_of(TRANSITIONS)) == {}
    alone = seen("a", 1, 0, 0)
    assert agglomerate([[alone]], {alone.key: []}, evidence_of(TRANSITIONS)) == {alone.key: 1}


def test_the_surest_are_joined_first_and_two_at_one_time_never():
    """Both of "b" look like "a", the second one more; they are there together."""
    ordered = [seen("a", 1, 0, 0), seen("b", 2, 15, 20), seen("b", 3, 15.5, 5), seen("c", 4, 31, 0)]
    before = {t.key: [o.key for o in ordered[:n]] for n, t in enumerate(ordered)}
    found = agglomerate([[t] for t in ordered], before, evidence_of(TRANSITIONS))
    assert found == {("a", 1): 1, ("b", 2): 2, ("b", 3): 1, ("c", 4): 1}


@given_or_not
@pytest.mark.parametrize("seed", range(6))
def test_bettering_never_makes_the_whole_worth_less(seed, topology):
    rng = np.random.default_rng(seed)
    tracklets = random_tracklets(rng, 20, every_s=4.0)
    online = {t.key: int(rng.integers(1, 8)) for t in tracklets}

    def worth(owner):
        groups = {g: [t for t in tracklets if owner[t.key] == g] for g in {*owner.values()}}
        fresh = Partition(evidence_of(topology), lambda g: groups[g])
        return sum(fresh.group(g).value for g in groups)

    evidence = evidence_of(topology)
    before = earlier_ones(tracklets, evidence, topology)
    partition = Partition(evidence, lambda g: [t for t in tracklets if online[t.key] == g])
    better = improve(tracklets, online, before, partition, 8)
    assert worth(better) > worth(online)
    again = Partition(evidence, lambda g: [t for t in tracklets if better[t.key] == g])
    assert improve(tracklets, better, before, again, 50) == better


def test_earlier_ones_are_where_a_way_leads_from():
    ordered = [seen("a", 1, 0, 0), seen("c", 2, 1, 0), seen("b", 3, 15, 0), seen("b", 4, 400, 0)]
    before = earlier_ones(ordered, evidence_of(TRANSITIONS), TRANSITIONS)
    assert before == {
        ("a", 1): [],
        ("c", 2): [],
        ("b", 3): [("a", 1), ("c", 2)],
        ("b", 4): [],
    }


def test_people_keep_the_id_of_whom_they_share_most_with():
    online = {("a", 1): 1, ("a", 2): 1, ("a", 3): 1, ("a", 4): 2}
    found = {("a", 1): 7, ("a", 2): 7, ("a", 3): 8, ("a", 4): 8}
    assert renamed(found, online, 5) == {("a", 1): 1, ("a", 2): 1, ("a", 3): 2, ("a", 4): 2}
    assert renamed({("a", 1): 7, ("a", 2): 8}, online, 5) == {("a", 1): 1, ("a", 2): 5}
    assert renamed({}, {}, 5) == {}
