"""Who can be a tracklet's: with the ways known, a few; and never fewer than who can."""

import math

import pytest

from builders_trackers import make_calibration, make_tracklet
from trackers.association.association import Association, Rules
from trackers.association.candidates import Candidates
from trackers.association.identity import Identity
from trackers.association.motion import Limits
from trackers.association.topology import Topology, topology_of

# Far apart but for b and c, which overlap.
SITE = topology_of({("a", "b"): 10.0, ("b", "c"): 0.0, ("c", "d"): 10.0, ("d", "e"): 10.0})


def test_nobody_is_known() -> None:
    assert Candidates(SITE).of([make_tracklet(0, 1)]) == []


def test_everybody_can_come_where_no_transitions_are_known() -> None:
    candidates = Candidates(Topology())
    candidates.update(2, make_tracklet(0, 1, camera_id="b"))
    candidates.update(1, make_tracklet(0, 1, camera_id="a"))
    assert candidates.of([make_tracklet(500, 501, track_id=2)]) == [1, 2]


def test_who_is_too_far_or_left_too_long_ago_cannot_come() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="a"))
    candidates.update(2, make_tracklet(0, 5, camera_id="e", track_id=2))
    assert candidates.of([make_tracklet(15, 16, camera_id="b", track_id=3)]) == [1]
    assert candidates.of([make_tracklet(900, 901, camera_id="b", track_id=3)]) == []


def test_where_somebody_was_seen_last_counts() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="a"))
    candidates.update(1, make_tracklet(30, 35, camera_id="e", track_id=2))
    candidates.update(1, make_tracklet(0, 6, camera_id="a", revision=2))
    assert candidates.of([make_tracklet(45, 46, camera_id="b", track_id=3)]) == []
    assert candidates.of([make_tracklet(45, 46, camera_id="d", track_id=3)]) == [1]


def test_who_was_seen_where_nothing_is_known_can_be_anywhere() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="elsewhere"))
    assert candidates.of([make_tracklet(900, 901, camera_id="b", track_id=3)]) == [1]


def test_who_is_forgotten_is_left_out() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="a"))
    candidates.forget(1)
    assert candidates.of([make_tracklet(15, 16, camera_id="b", track_id=3)]) == []


@pytest.mark.parametrize(("start", "possible"), [(4.0, True), (3.9, False)])
def test_nobody_is_in_two_places_at_once(start: float, possible: bool) -> None:
    before = make_tracklet(0, 5, camera_id="a")
    person = Identity(1)
    candidates = Candidates(SITE)
    for member in (before, make_tracklet(4, 20, camera_id="b", track_id=2)):
        person.update(member)
        candidates.update(1, member)
    way = candidates.transition_evidence(
        make_tracklet(start, 30, camera_id="c", track_id=3), person
    )
    assert (way > -math.inf) is possible


def association() -> Association:
    rules = Rules(1.0, 1, 0.5, 600.0, Limits(3.0, 1.5), make_calibration(4.0, 0.5), SITE)
    return Association(rules)


def test_an_association_follows_people_along_the_transitions() -> None:
    site = association()
    site.observe(make_tracklet(0, 5, camera_id="a", exemplars=[0]))
    site.decide(6)
    site.observe(make_tracklet(15, 20, camera_id="b", track_id=2, exemplars=[0]))
    site.observe(make_tracklet(15, 20, camera_id="e", track_id=3, exemplars=[0]))
    decisions = {decision.key: decision.global_id for decision in site.decide(21)}
    assert decisions == {("b", 2): 1, ("e", 3): 2}
