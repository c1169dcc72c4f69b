"""Second thoughts on tracklets that are over."""

import pytest

from builders_trackers import make_people, make_rules, make_tracklet
from trackers.association.appearance import Population
from trackers.association.association import Association
from trackers.association.evidence import Evidence
from trackers.association.reassessment import latest, may_be_judged, refine
from trackers.association.shared_views import SharedViews
from trackers.association.topology import topology_of

TRANSITIONS = topology_of({("a", "b"): 10.0, ("b", "c"): 10.0})


def seen(camera_id, track_id, start, *exemplars, **more):
    return make_tracklet(
        start, start + 5, camera_id=camera_id, track_id=track_id, exemplars=exemplars, **more
    )


def refined(members, due, rivals):
    people = make_people(members, TRANSITIONS)
    rules = make_rules(TRANSITIONS)
    evidence = Evidence(
        rules,
        TRANSITIONS,
        Population(rules.calibration),
        SharedViews(TRANSITIONS.learn_overlaps),
    )
    evidence.begin()
    return refine(due, {t.key: rivals for t in due}, people, evidence)


def test_nothing_is_over():
    judged = refined({}, [], [])
    assert (judged.owner, judged.margins) == ({}, {})


def test_who_was_given_a_new_id_gets_back_the_one_that_was_lost():
    first, second = seen("a", 1, 0, 0), seen("b", 2, 15, 0)
    judged = refined({1: [first], 2: [second]}, [second], [1])
    assert judged.owner == {("b", 2): 1}
    assert judged.margins[("b", 2)] > 0


def test_who_appearance_like_another_goes_there():
    members = {1: [seen("a", 1, 0, 0)], 2: [seen("a", 2, 1, 80), seen("b", 3, 15, 0)]}
    assert refined(members, members[2][1:], [1]).owner == {("b", 3): 1}
    # Only to those who fitted when it was decided, and who are still known.
    assert refined(members, members[2][1:], [7]).owner == {}


def test_nothing_changes_where_another_is_hardly_likelier():
    members = {1: [seen("a", 1, 0, 10)], 2: [seen("a", 2, 0.2, 11), seen("b", 3, 15, 0)]}
    judged = refined(members, members[2][1:], [1])
    assert judged.owner == {}
    assert -1.0 < judged.margins[("b", 3)] < 0


def test_of_a_long_stay_the_last_tracklets_are_looked_at():
    people = make_people({1: [seen("a", n, 7 * n) for n in range(9)]})
    members = latest(people.identities[1])
    assert [t.track_id for t in members] == [5, 6, 7, 8]
    assert not may_be_judged(members[0], members)
    assert may_be_judged(members[1], members)
    assert may_be_judged(members[1], members[1:])
    # What came before them is not known.
    assert not may_be_judged(members[0], members[1:])
    assert latest(None) == []


@pytest.mark.parametrize(("until", "goes"), [(45.9, True), (46.35, True), (46.4, False)])
def test_nobody_is_twice_in_one_camera_also_not_with_what_is_not_looked_at(until, goes):
    transitions = topology_of({("a", "b"): 0.0})
    long_stay = make_tracklet(0, until, camera_id="a", track_id=1, exemplars=[0])
    beside = [seen("b", n, 10 * n, 0) for n in range(1, 5)]
    again = seen("a", 9, 46, 0)
    people = make_people({1: [long_stay, *beside], 2: [again]}, transitions)
    assert long_stay not in latest(people.identities[1])
    rules = make_rules(transitions)
    evidence = Evidence(
        rules,
        transitions,
        Population(rules.calibration),
        SharedViews(transitions.learn_overlaps),
    )
    evidence.begin()
    judged = refine([again], {again.key: [1]}, people, evidence)
    assert judged.owner == ({again.key: 1} if goes else {})


def decided(appearance_at_first, appearance_at_last, refine_s=120.0):
    """Somebody who comes from "a", seen badly at first; the last decision, and all kinds."""
    association = Association(make_rules(TRANSITIONS, refine_s=refine_s))
    association.observe(seen("a", 1, 0, 0, 0))
    decisions = association.decide(6.0)
    association.observe(seen("b", 2, 15, *appearance_at_first, closed=False))
    decisions += association.decide(17.0)
    association.observe(seen("b", 2, 15, *appearance_at_last, revision=2))
    decisions += association.decide(21.0)
    mine = [d for d in decisions if d.key == ("b", 2)]
    return mine[-1].global_id, mine[-1].state, [d.kind for d in mine]


def test_what_was_seen_better_is_put_right():
    assert decided([85, 85], [0, 0, 0, 0, 0, 0]) == (1, "confirmed", ["assigned", "merged"])


def test_what_was_clear_is_confirmed_when_it_is_over():
    assert decided([0, 0], [0, 0, 0, 0]) == (1, "confirmed", ["assigned", "confirmed"])


def test_nothing_is_corrected_when_that_is_not_wanted():
    assert decided([85, 85], [0, 0, 0, 0, 0, 0], 0.0) == (2, "probable", ["assigned"])


@pytest.mark.parametrize(("refine_s", "kinds"), [(4.0, 2), (3.9, 1)])
def test_what_ended_too_long_ago_stays(refine_s, kinds):
    """It ended at 20; that is told at 24."""
    association = Association(make_rules(TRANSITIONS, refine_s=refine_s))
    association.observe(seen("b", 2, 15, 0, 0, closed=False))
    found = association.decide(17.0)
    association.observe(seen("b", 2, 15, 0, 0, 0, 0, revision=2))
    found += association.decide(24.0)
    assert len(found) == kinds
