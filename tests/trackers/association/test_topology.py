"""What the ways between cameras say: who can have come from where, and when."""

import math

import numpy as np
import pytest

from builders_trackers import make_tracklet
from trackers.association.topology import (
    Topology,
    Transition,
    TransitionPrior,
    broken_track,
    in_two_places,
    later_of,
    topology_of,
    transition_evidence,
)

# a - b is a walk of 10 s, b and c overlap, c - d is a walk of 10 s.
SITE = topology_of({("a", "b"): 10.0, ("b", "c"): 0.0, ("c", "d"): 10.0})


def test_nothing_is_known_of_no_transitions() -> None:
    assert Topology().evidence("a", "b", 5.0) == TransitionPrior().evidence("a", "b", 5.0)
    assert not Topology().knows("a")


def test_nothing_is_known_of_a_camera_that_has_no_transitions() -> None:
    assert SITE.evidence("a", "elsewhere", 5.0) == TransitionPrior().evidence("a", "b", 5.0)


def test_the_typical_time_is_more_likely_than_others() -> None:
    typical = SITE.evidence("a", "b", 10.0)
    assert typical > SITE.evidence("a", "b", 15.0) > SITE.evidence("a", "b", 60.0)
    assert typical > SITE.evidence("a", "b", 7.0)


def test_nobody_comes_at_once_where_it_is_a_walk() -> None:
    assert SITE.evidence("a", "b", 0.0) == -math.inf
    assert SITE.evidence("b", "c", 0.0) > -math.inf
    assert SITE.evidence("b", "c", -20.0) > -math.inf


def test_one_camera_may_have_missed_somebody_and_two_may_not() -> None:
    missed = SITE.evidence("a", "c", 18.0)
    assert -math.inf < missed < SITE.evidence("a", "b", 10.0)
    assert SITE.evidence("a", "d", 30.0) == -math.inf


def test_transitions_lead_both_transitions() -> None:
    assert SITE.near("b") == ["a", "b", "c", "d"]
    assert SITE.evidence("a", "b", 10.0) > -math.inf
    assert SITE.evidence("b", "a", 10.0) > -math.inf


@pytest.mark.parametrize("later", ["a", "b", "c", "d"])
def test_nobody_comes_before_the_shortest_or_after_the_longest(later: str) -> None:
    for transition in SITE.transitions[later].values():
        assert transition.evidence(transition.longest_s) == -math.inf
        gaps = [0.25 * step for step in range(-8, 1200)]
        possible = [gap for gap in gaps if transition.evidence(gap) > -math.inf]
        assert min(possible) >= transition.shortest_s
        assert max(possible) <= transition.longest_s < max(possible) + 0.5


def test_a_passage_that_nobody_takes_is_never_possible() -> None:
    transition = Transition(share=0.0, typical_s=10.0)
    assert all(transition.evidence(gap) == -math.inf for gap in (-1.0, 0.0, 10.0, 100.0))


def test_the_way_is_taken_from_who_began_earlier() -> None:
    first = make_tracklet(0, 5, camera_id="a")
    second = make_tracklet(15, 20, camera_id="b", track_id=2)
    assert transition_evidence(second, first, SITE) == transition_evidence(first, second, SITE)
    assert transition_evidence(second, first, SITE) == SITE.evidence("a", "b", 10.0)


@pytest.mark.parametrize(
    ("camera_id", "start", "twice"),
    [
        ("a", 3.9, True),
        # Clocks differ by as much as a second.
        ("a", 4.0, False),
        ("c", 0.0, False),
        ("elsewhere", 0.0, False),
        ("b", 0.0, False),
    ],
)
def test_one_person_is_in_two_places(camera_id: str, start: float, twice: bool) -> None:
    here = make_tracklet(0, 5, camera_id="b")
    there = make_tracklet(start, 9, camera_id=camera_id, track_id=2)
    assert in_two_places(here, there, SITE) is twice
    assert in_two_places(there, here, SITE) is twice


def test_views_may_overlap_where_it_is_given_or_nothing_is() -> None:
    assert SITE.may_overlap("b", "c")
    assert SITE.may_overlap("a", "elsewhere")
    assert not SITE.may_overlap("a", "b")
    assert not SITE.may_overlap("a", "d")


def test_who_was_seen_last() -> None:
    early, late = make_tracklet(0, 5), make_tracklet(0, 6, track_id=2)
    assert later_of(early, late) is late
    assert later_of(late, early) is late
    newer = make_tracklet(0, 5, revision=2)
    assert later_of(early, newer) is newer


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("earlier", ["a", "b", "c", "d", "elsewhere"])
def test_many_gaps_at_once_as_one_by_one(earlier: str, learned: bool) -> None:
    site = topology_of({("a", "b"): 10.0, ("b", "c"): 0.0, ("c", "d"): 10.0})
    if learned:
        site.learn("elsewhere", {"c": Transition(0.5, 8.0), "d": Transition(0.5, 0.0, True)}, 20)
        site.learn_overlaps([("a", "d"), ("elsewhere", "b")])
    gaps_s = np.array([-20.0, -1.0, -0.5, 0.0, 2.0, 9.0, 10.0, 40.0, 300.0, 3000.0])
    for later in ("a", "c", "d", "elsewhere"):
        one_by_one = [site.evidence(earlier, later, gap_s) for gap_s in gaps_s.tolist()]
        found = site.evidences(np.full(len(gaps_s), site.number(earlier)), later, gaps_s)
        np.testing.assert_allclose(found, one_by_one, rtol=1e-12)
    assert site.evidences(np.zeros(0, np.intp), "c", gaps_s[:0]).shape == (0,)


def test_many_cameras_at_once_as_one_by_one_also_when_some_are_learned_later() -> None:
    site = topology_of({("a", "b"): 10.0, ("b", "c"): 0.0})
    cameras = ["a", "b", "c", "elsewhere", "new"]
    numbers = np.array([site.number(camera_id) for camera_id in cameras])
    gaps_s = np.array([9.0, 2.0, -3.0, 8.0, 5.0])
    for change in (
        lambda: None,
        lambda: site.learn("elsewhere", {"b": Transition(0.5, 8.0), "new": broken_track()}, 20),
        lambda: site.learn("b", {"elsewhere": Transition(0.3, 9.0)}, 10),
        lambda: site.learn_overlaps([("b", "new")]),
        lambda: site.prior.learn(50, 90, 5, 600.0),
    ):
        change()
        for later in cameras:
            found = site.evidences(numbers, later, gaps_s)
            each = [site.evidence(e, later, g) for e, g in zip(cameras, gaps_s, strict=True)]
            np.testing.assert_allclose(found, each, rtol=1e-12)


def _at_once_after(people: int, *, overlaps: bool = False) -> float:
    """The evidence for one who is in both views at once, when so many people went there."""
    topology = Topology()
    way = Transition(1.0, 0.0 if overlaps else 15.0, overlaps=overlaps)
    topology.learn("a", {"b": way}, people)
    topology.learn("b", {}, 0)
    return topology.evidence("a", "b", -5.0)


def test_the_more_people_walk_from_view_to_view_the_less_likely_these_overlap() -> None:
    found = [_at_once_after(people) for people in (0, 8, 20)]
    assert found == sorted(found, reverse=True)
    # Only the share of the prior among what is known lowers it by 0.7, and by 1.3.
    assert found[0] - found[1] > 2
    assert found[0] - found[2] > 5


def test_where_people_are_in_both_views_at_once_these_may_overlap() -> None:
    assert _at_once_after(20, overlaps=True) > _at_once_after(0)
