"""What two tracklets say of being one person."""

import math

import numpy as np
import pytest

from builders_trackers import (
    evidence_of,
    make_calibration,
    make_tracklet,
    seen,
)
from trackers.association.appearance import Population
from trackers.association.topology import Topology, topology_of

TRANSITIONS = topology_of({("a", "b"): 10.0})


def test_the_way_counts_from_who_was_seen_before():
    first, second = seen("a", 1, 0), seen("b", 2, 15)
    with_transitions = evidence_of(TRANSITIONS).transition(first, second)
    again = -math.log(0.5)
    assert with_transitions == pytest.approx(TRANSITIONS.evidence("a", "b", 10.0) + again)
    assert evidence_of(TRANSITIONS).transition(first, seen("b", 2, 5.5)) == -math.inf
    assert evidence_of().transition(first, second) == pytest.approx(
        Topology().evidence("a", "b", 10.0) + again
    )


def test_who_has_faded_says_nothing():
    faded = make_tracklet(0, 5, camera_id="a", times=[], feet=[])
    assert evidence_of(TRANSITIONS).transition(faded, seen("b", 2, 500)) == 0.0


def test_hard_rules():
    evidence = evidence_of(TRANSITIONS)
    assert not evidence.possible(seen("a", 1, 0), seen("a", 2, 4.5))
    assert evidence.possible(seen("a", 1, 0), seen("a", 2, 4.9))
    assert not evidence.possible(seen("a", 1, 0, closed=False), seen("a", 2, 9))
    assert not evidence.possible(seen("a", 1, 0), seen("b", 2, 3))
    assert evidence_of().possible(seen("a", 1, 0), seen("b", 2, 3))
    near, far = (seen("b", 2, 3, ground=[(x, 0.0)]) for x in (1.5, 1.6))
    assert evidence_of().possible(seen("a", 1, 3, ground=[(0.0, 0.0)]), near)
    assert not evidence_of().possible(seen("a", 1, 3, ground=[(0.0, 0.0)]), far)


def test_appearance_are_those_of_each_with_all_before_it():
    evidence = evidence_of(calibration=make_calibration(4.0, 0.5))
    one, alike, nothing = seen("a", 1, 0, 0), seen("b", 2, 0, 0), seen("b", 4, 0)
    assert (
        evidence.appearance([])
        == evidence.appearance([one])
        == evidence.appearance([nothing])
        == 0.0
    )
    assert evidence.appearance([one, alike]) == pytest.approx(2.0)
    assert evidence.appearance([one, nothing, alike, seen("c", 5, 0, 0)]) == pytest.approx(4.0)
    assert evidence.appearance([alike, one]) == evidence.appearance([one, alike])


def test_a_newer_revision_is_compared_anew():
    evidence = evidence_of()
    one, other = seen("a", 1, 0, 0), seen("b", 2, 0, 0)
    before = evidence.appearance([one, other])
    assert evidence.appearance([one, seen("b", 2, 0, 90)]) < 0 < before


def test_what_was_learnt_of_appearance_counts_from_the_next_beginning_on():
    population = Population(make_calibration(4.0, 0.5))
    evidence = evidence_of(population=population)
    one, other = seen("a", 1, 0, 0), seen("b", 2, 0, 30)
    before = evidence.appearance([one, other])
    population.learn([np.array(one.exemplars[0])] * 9)
    evidence.begin()
    after = evidence.appearance([one, other])
    assert after != before
    assert after == evidence_of(population=population).appearance([one, other])


@pytest.mark.parametrize("most", [1, 3, 30])
def test_the_likeliest_are_those_of_a_plain_loop(most):
    rng = np.random.default_rng(0)
    earlier = [seen("a", n, 0, *rng.uniform(0, 180, rng.integers(0, 9))) for n in range(15)]
    later = seen("b", 99, 18, 40, 60)
    evidence = evidence_of(TRANSITIONS)
    worth = {
        t.key: evidence.transition(t, later) + evidence.appearance([t, later]) for t in earlier
    }
    expected = sorted(worth, key=lambda key: (-worth[key], key))[:most]
    # The last is there at the same time.
    known = evidence.arrays_of([*earlier, seen("b", 77, 14, 40)])
    found = evidence.likeliest(later, known, np.arange(16), most)
    assert set(found) == set(expected)
    assert evidence.likeliest(later, known, np.zeros(0, np.intp), most) == []
