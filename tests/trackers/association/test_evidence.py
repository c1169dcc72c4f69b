"""What two tracklets say of being one person."""

import math

import numpy as np
import pytest

from builders_trackers import make_rules, make_tracklet
from trackers.association.appearance import Calibration, Line, Strangers, similarity
from trackers.association.evidence import Evidence, mutual_similarities
from trackers.association.topology import topology_of

WAYS = topology_of({("a", "b"): 10.0})


def seen(camera_id, track_id, start, *looks, **more):
    return make_tracklet(
        start, start + 5, camera_id=camera_id, track_id=track_id, looks=looks, **more
    )


def evidence_of(topology=None, people=0, strangers=None, **changed):
    evidence = Evidence(make_rules(topology, **changed), make_rules(topology).topology)
    evidence.begin(strangers or Strangers(), people)
    return evidence


def many(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        seen("ab"[n % 2], n, 0, *looks, qualities=rng.uniform(0, 1, len(looks)))
        for n in range(count)
        for looks in [rng.uniform(0, 180, rng.integers(0, 9))]
    ]


def test_mutual_similarities_are_those_of_a_plain_loop():
    tracklets = many(40)
    for tracklet in tracklets:
        expected = []
        for other in tracklets:
            forth = similarity(tracklet.exemplars, tracklet.qualities, other.exemplars)
            back = similarity(other.exemplars, other.qualities, tracklet.exemplars)
            expected.append(None if forth is None or back is None else (forth + back) / 2)
        found = mutual_similarities(tracklet, tracklets)
        assert [f is None for f in found] == [e is None for e in expected]
        known = [(f, e) for f, e in zip(found, expected, strict=True) if e is not None]
        assert [f for f, _ in known] == pytest.approx([e for _, e in known], abs=1e-5)


def test_mutual_similarities_are_the_same_to_the_last_bit_whoever_asks():
    one, *others = many(40)
    one = seen("a", 99, 0, 10, 50, 70)
    together = mutual_similarities(one, others)
    assert together == [mutual_similarities(other, [one])[0] for other in others]
    assert mutual_similarities(one, []) == []


def test_the_way_counts_from_who_was_seen_before():
    first, second = seen("a", 1, 0), seen("b", 2, 15)
    with_ways = evidence_of(WAYS).way(first, second)
    assert with_ways == pytest.approx(WAYS.evidence("a", "b", 10.0) + 3.0)
    assert evidence_of(WAYS).way(first, seen("b", 2, 5.5)) == -math.inf
    assert evidence_of(people=9).way(first, second) == pytest.approx(-math.log(10))


def test_who_has_faded_says_nothing():
    faded = make_tracklet(0, 5, camera_id="a", times=[], feet=[])
    assert evidence_of(WAYS).way(faded, seen("b", 2, 500)) == 0.0


def test_hard_rules():
    evidence = evidence_of(WAYS)
    assert not evidence.possible(seen("a", 1, 0), seen("a", 2, 5))
    assert evidence.possible(seen("a", 1, 0), seen("a", 2, 5.1))
    assert not evidence.possible(seen("a", 1, 0, closed=False), seen("a", 2, 9))
    assert not evidence.possible(seen("a", 1, 0), seen("b", 2, 3))
    assert evidence_of().possible(seen("a", 1, 0), seen("b", 2, 3))
    near, far = (seen("b", 2, 3, ground=[(x, 0.0)]) for x in (1.5, 1.6))
    assert evidence_of().possible(seen("a", 1, 3, ground=[(0.0, 0.0)]), near)
    assert not evidence_of().possible(seen("a", 1, 3, ground=[(0.0, 0.0)]), far)


def test_looks_are_summed_over_all_and_nothing_to_see_says_nothing():
    lines = Calibration(other_cameras=Line(8.0, 0.5), same_camera=Line(4.0, 0.5))
    evidence = evidence_of(calibration=lines)
    one = seen("a", 1, 0, 0)
    alike, same_camera, nothing = seen("b", 2, 0, 0), seen("a", 3, 9, 0), seen("b", 4, 0)
    # Half of what the lines say counts, up to 3.
    assert evidence.looks(one, [alike]) == pytest.approx(2.0)
    assert evidence.looks(one, [same_camera]) == pytest.approx(1.0)
    assert evidence.looks(one, [alike, same_camera, nothing]) == pytest.approx(3.0)
    assert evidence.looks(one, []) == 0.0
    assert evidence.looks(alike, [one]) == evidence.looks(one, [alike])


def test_a_newer_revision_is_compared_anew():
    evidence = evidence_of()
    one, other = seen("a", 1, 0, 0), seen("b", 2, 0, 0)
    before = evidence.looks(one, [other])
    evidence.forget(("b", 2))
    assert evidence.looks(one, [seen("b", 2, 0, 90)]) < 0 < before


def test_how_alike_strangers_are_here_counts_from_the_next_beginning_on():
    lines = Calibration(Line(8.0, 0.5), Line(8.0, 0.5), strangers=0.0)
    evidence = evidence_of(calibration=lines)
    one, other = seen("a", 1, 0, 0), seen("b", 2, 0, 0)
    before = evidence.looks(one, [other])
    alike = Strangers(pairs=10**6, total=0.25 * 10**6)
    assert evidence.looks(one, [other]) == before
    evidence.begin(alike, 0)
    assert evidence.looks(one, [other]) == pytest.approx(before - 1.0, abs=1e-3)


@pytest.mark.parametrize("most", [1, 3, 30])
def test_the_likeliest_are_those_of_a_plain_loop(most):
    evidence = evidence_of(WAYS)
    later = seen("b", 99, 18, 40, 60)
    earlier = [t for t in many(30) if t.camera_id == "a"] + [seen("b", 77, 14, 40)]
    worth = {
        t.key: evidence.way(t, later) + evidence.looks(later, [t]) for t in earlier[:-1]
    }  # the last is there at the same time
    expected = sorted(worth, key=lambda key: (-worth[key], key))[:most]
    assert set(evidence_of(WAYS).likeliest(later, earlier, most)) == set(expected)
    assert evidence.likeliest(later, [], most) == []
