"""What was judged again becomes decisions: of which kind, and confirmed from when on."""

import pytest

from builders_trackers import make_people, make_tracklet
from trackers.association.decision import log_odds
from trackers.association.partition import Judged, corrections

A1, A2 = ("a", 1), ("a", 2)
SURE = log_odds(0.9)


def seen(track_id, exemplars=(0, 0)):
    return make_tracklet(10 * track_id, 10 * track_id + 5, track_id=track_id, exemplars=exemplars)


def told(people, owner=None, margins=None):
    found = corrections(people, Judged(owner or {}, margins or {}))
    return [(d.key, d.global_id, d.kind, d.state) for d in found]


def test_nothing_was_judged():
    assert told(make_people({1: [seen(1)]})) == []


def test_who_becomes_a_known_person_is_reassigned():
    people = make_people({1: [seen(1), seen(2)], 2: [seen(3)]})
    assert told(people, {A2: 2}, {A2: 1.0}) == [(A2, 2, "reassigned", "probable")]
    assert people.owner(A2) == 2


def test_a_person_of_whom_nothing_is_left_is_merged():
    people = make_people({1: [seen(1)], 2: [seen(2)]})
    assert told(people, {A2: 1}) == [(A2, 1, "merged", "probable")]
    assert sorted(people.identities) == [1]


def test_who_becomes_somebody_new_is_split_off():
    people = make_people({1: [seen(1), seen(2)]})
    assert told(people, {A2: 2}) == [(A2, 2, "split", "probable")]
    assert people.next_global_id == 3


def test_who_stays_is_no_news():
    people = make_people({1: [seen(1)], 2: [seen(2)]})
    assert told(people, {A2: 2}, {A2: 1.0}) == []


@pytest.mark.parametrize(
    ("margin", "state"), [(SURE - 1e-9, "probable"), (SURE, "confirmed"), (9.0, "confirmed")]
)
def test_it_is_confirmed_from_a_probability_on(margin, state):
    people = make_people({1: [seen(1), seen(2)]})
    expected = [(A1, 1, "confirmed", "confirmed")] if state == "confirmed" else []
    assert told(people, margins={A1: margin}) == expected
    assert people.state(A1) == state
    # Once is enough.
    assert told(people, margins={A1: margin}) == []


@pytest.mark.parametrize(("exemplars", "confirmed"), [(3, False), (4, True)])
def test_of_one_tracklet_enough_must_be_seen(exemplars, confirmed):
    people = make_people({1: [seen(1, exemplars=[0] * exemplars)]})
    assert bool(told(people, margins={A1: SURE})) is confirmed


def test_who_is_somebody_else_now_is_no_longer_confirmed():
    people = make_people({1: [seen(1), seen(2)], 2: [seen(3)]})
    people.confirm(A2)
    assert told(people, {A2: 2}, {A2: 0.0}) == [(A2, 2, "reassigned", "probable")]
    assert told(people, {A2: 1}, {A2: 9.0}) == [(A2, 1, "reassigned", "confirmed")]


def test_the_confidence_is_that_over_anybody_else():
    people = make_people({1: [seen(1), seen(2)]})
    (decision,) = corrections(people, Judged({}, {A1: log_odds(0.95)}))
    assert decision.confidence == pytest.approx(0.95)
