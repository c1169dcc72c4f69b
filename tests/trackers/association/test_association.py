import math
from dataclasses import replace

import numpy as np
import pytest

from builders_trackers import make_calibration, make_rules, make_tracklet
from trackers.association.association import Association
from trackers.association.motion import Limits

RULES = make_rules(
    evidence_s=2.0,
    min_exemplars=2,
    gallery_s=100.0,
    limits=Limits(max_speed=2.0, max_ground_distance=1.5),
    calibration=make_calibration(10.0, 0.5),
)
ANNA, BERT = [0, 0], [90, 90]


def _association(*known, **rules):
    """One that knows these ``(tracklet, global_id)``."""
    association = Association(replace(RULES, **rules))
    for tracklet, global_id in known:
        association.restore(tracklet, global_id)
    return association


def _decide(association, at, *tracklets):
    for tracklet in tracklets:
        association.observe(tracklet)
    return association.decide(at)


def _ids(decisions):
    """Of those that say anything new."""
    return {d.key: d.global_id for d in decisions if d.kind != "confirmed"}


class TestWhen:
    def test_nothing_to_decide(self):
        assert _association().decide(10.0) == []
        assert _association().finish() == []
        assert _association().forget(10.0) == []

    def test_exactly_enough_time(self):
        association = _association()
        tracklet = make_tracklet(0, 2, closed=False, exemplars=ANNA)
        assert _decide(association, 1.999, tracklet) == []
        assert len(_decide(association, 2.0)) == 1

    def test_exactly_enough_exemplars(self):
        association = _association()
        assert _decide(association, 9, make_tracklet(0, 9, closed=False, exemplars=[0])) == []
        more = make_tracklet(0, 9, revision=2, closed=False, exemplars=[0, 0])
        assert len(_decide(association, 9, more)) == 1

    def test_closed_without_evidence(self):
        (decision,) = _decide(_association(), 0.2, make_tracklet(0, 0.1))
        assert (decision.global_id, decision.kind) == (1, "assigned")

    def test_decided_once(self):
        association = _association()
        assert len(_decide(association, 5, make_tracklet(0, 5, closed=False, exemplars=ANNA))) == 1
        assert _decide(association, 6, make_tracklet(0, 6, revision=2, exemplars=ANNA)) == []
        assert association.finish() == []

    def test_a_track_that_is_never_closed_is_decided_before_it_is_forgotten(self):
        association = _association()
        tracklet = make_tracklet(0, 5, closed=False)
        assert _decide(association, 105.0, tracklet) == []
        assert len(association.decide(105.1)) == 1
        assert association.forget(105.1) == [tracklet.key]
        assert not association.waiting


class TestWho:
    def test_a_new_person(self):
        association = _association()
        (decision,) = _decide(association, 5, make_tracklet(0, 5, exemplars=ANNA))
        assert (decision.key, decision.global_id, decision.confidence) == (("a", 1), 1, 1.0)
        assert (decision.kind, decision.reason) == ("assigned", "new person")
        assert association.owner(("a", 1)) == 1

    def test_a_known_person_in_another_camera(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        seen = make_tracklet(6, 9, camera_id="b", exemplars=ANNA)
        decision, confirmed = _decide(association, 9, seen)
        assert (decision.global_id, decision.reason) == (7, "known person")
        assert (decision.state, confirmed.state) == ("probable", "confirmed")
        # 5 for the exemplars, and what is to be said of who comes a second later.
        way = association.topology.evidence("a", "b", 1.0)
        assert decision.confidence == pytest.approx(1 / (1 + math.exp(-5 - way)))
        assert association.tracklet(seen.key) is seen

    def test_another_person(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        (decision,) = _decide(association, 9, make_tracklet(6, 9, camera_id="b", exemplars=BERT))
        assert (decision.global_id, decision.reason) == (8, "new person")
        assert decision.confidence > 0.99

    def test_exactly_the_confidence_is_not_enough(self):
        known = make_tracklet(0, 5, exemplars=ANNA), 7
        seen = make_tracklet(6, 9, camera_id="b", exemplars=ANNA)
        decision, *_ = _decide(_association(known), 9, seen)
        exactly = _association(known, min_confidence=decision.confidence + 1e-9)
        assert _ids(_decide(exactly, 9, seen)) == {("b", 1): 8}
        less = _association(known, min_confidence=decision.confidence - 1e-6)
        assert _ids(_decide(less, 9, seen)) == {("b", 1): 7}

    def test_without_appearance_or_place_everybody_is_new(self):
        association = _association((make_tracklet(0, 5), 7))
        (decision,) = _decide(association, 9, make_tracklet(6, 9, camera_id="b"))
        assert decision.global_id == 8

    def test_two_who_are_there_together_never_share_an_id(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        twins = [
            make_tracklet(6, 9, camera_id="b", track_id=1, exemplars=[0, 0]),
            make_tracklet(9, 12, camera_id="b", track_id=2, exemplars=[50, 50]),
        ]
        ids = _ids(_decide(association, 12, *twins))
        assert ids == {("b", 1): 7, ("b", 2): 8}

    def test_who_is_more_alike_gets_the_person(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        twins = [
            make_tracklet(6, 9, camera_id="b", track_id=1, exemplars=[50, 50]),
            make_tracklet(7, 9, camera_id="b", track_id=2, exemplars=[0, 0]),
        ]
        decisions = _decide(association, 9, *twins)
        assert _ids(decisions) == {("b", 1): 8, ("b", 2): 7}
        # Number 1 looks a little like person 7, who is surely somebody else.
        assert decisions[0].confidence > 0.8

    def test_one_after_the_other_may_share_an_id(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        both = [
            make_tracklet(6, 9, camera_id="b", track_id=1, exemplars=ANNA),
            make_tracklet(10, 12, camera_id="b", track_id=2, exemplars=ANNA),
        ]
        assert _ids(_decide(association, 12, *both)) == {("b", 1): 7, ("b", 2): 7}

    def test_new_in_two_cameras_at_one_moment(self):
        both = [make_tracklet(0, 5, camera_id=camera_id, exemplars=ANNA) for camera_id in "ba"]
        decisions = _decide(_association(), 5, *both)
        assert _ids(decisions) == {("a", 1): 1, ("b", 1): 1}


class TestUnknown:
    def test_what_was_never_seen_well_is_nobody_new(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        hidden = make_tracklet(6, 9, camera_id="b")
        assert _decide(association, 9, hidden) == []
        assert not association.waiting
        assert association.forget(9) == [hidden.key]
        assert association.forget(9) == []

    def test_but_it_may_be_somebody_known_by_their_place(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        hidden = make_tracklet(5.2, 9, track_id=2)
        assert _ids(_decide(association, 9, hidden)) == {("a", 2): 7}

    def test_where_nobody_has_appearance_all_may_be_new(self):
        association = _association((make_tracklet(0, 5), 7))
        assert _ids(_decide(association, 9, make_tracklet(6, 9, camera_id="b"))) == {("b", 1): 8}


class TestPopulation:
    def test_appearance_are_learnt_from_when_a_third_more_are_known(self):
        association = _association()
        epochs = []
        for n in range(9):
            seen = make_tracklet(9 * n, 9 * n + 5, track_id=n, exemplars=[40 * n])
            _decide(association, 9 * n + 5.0, seen)
            epochs.append(association.population.epoch)
        assert epochs[0] == 0
        assert 3 <= epochs[-1] <= 6

    def test_newcomers_are_rarer_where_few_come(self):
        busy, calm = _association(), _association()
        for n in range(9):
            _decide(busy, 40.0, make_tracklet(n, n + 5, track_id=n, exemplars=[40 * n]))
        _decide(calm, 40.0, make_tracklet(0, 5, exemplars=[0]))
        busy.decide(41.0)
        calm.decide(41.0)
        every = [a.topology.prior.newcomer_every_s for a in (busy, calm)]
        assert every[0] < every[1]


class TestOneCameraOneTime:
    def test_an_open_track_blocks_its_place(self):
        first = make_tracklet(0, 5, closed=False, exemplars=ANNA)
        association = _association((first, 7))
        second = make_tracklet(6, 9, track_id=2, exemplars=ANNA)
        assert _ids(_decide(association, 9, second)) == {("a", 2): 8}

    def test_a_closed_track_does_not(self):
        association = _association((make_tracklet(0, 5, closed=False, exemplars=ANNA), 7))
        closed = make_tracklet(0, 5, revision=2, exemplars=ANNA)
        second = make_tracklet(6, 9, track_id=2, exemplars=ANNA)
        assert _ids(_decide(association, 9, closed, second)) == {("a", 2): 7}

    def test_a_waiting_track_that_is_open_may_yet_reach_a_later_one(self):
        later = make_tracklet(6, 9, exemplars=ANNA)
        association = _association((later, 7))
        earlier = make_tracklet(0, 5, track_id=2, closed=False, exemplars=ANNA)
        assert _ids(_decide(association, 9, earlier)) == {("a", 2): 8}

    def test_a_closed_one_may_come_before_one_that_is_still_open(self):
        association = _association((make_tracklet(6, 9, closed=False, exemplars=ANNA), 7))
        earlier = make_tracklet(0, 5, track_id=2, exemplars=ANNA)
        assert _ids(_decide(association, 9, earlier)) == {("a", 2): 7}

    def test_even_after_its_appearance_have_faded(self):
        association = _association(
            (make_tracklet(0, 5, exemplars=ANNA), 7),
            (make_tracklet(150, 155, track_id=2, exemplars=ANNA), 7),
        )
        slow = make_tracklet(4, 155, track_id=3, exemplars=ANNA)
        late = make_tracklet(10, 100, track_id=4, exemplars=ANNA)
        assert _ids(_decide(association, 155, slow, late)) == {("a", 3): 8, ("a", 4): 7}


class TestMerging:
    def test_two_that_were_one_are_merged_at_the_finish(self):
        association = _association(
            (make_tracklet(0, 5, camera_id="a", exemplars=ANNA), 1),
            (make_tracklet(0, 5, camera_id="b", exemplars=BERT), 2),
            (make_tracklet(9, 12, camera_id="c", exemplars=ANNA), 3),
        )
        (decision,) = [d for d in association.finish() if d.kind != "confirmed"]
        assert (decision.key, decision.global_id, decision.kind) == (("c", 1), 1, "merged")
        assert decision.reason == "same person as 3"
        assert decision.confidence > 0.9
        assert association.owner(("c", 1)) == 1
        assert association.tracklet(("c", 1)) is not None
        assert sorted(association.identities) == [1, 2]

    def test_nobody_is_merged_into_two_places_at_one_time(self):
        association = _association(
            (make_tracklet(0, 5, track_id=1, exemplars=ANNA), 1),
            (make_tracklet(4, 9, track_id=2, exemplars=ANNA), 2),
        )
        assert association.finish() == []

    def test_a_track_that_goes_on_as_one_that_ends_beside_it_is_merged(self):
        association = _association(
            (make_tracklet(0, 5, track_id=1, exemplars=ANNA), 1),
            (make_tracklet(4.8, 9, track_id=2, exemplars=ANNA), 2),
        )
        assert [d.reason for d in association.finish() if d.kind == "merged"] == [
            "same person as 2"
        ]

    def test_who_cannot_be_with_another_member_is_parted_from_them(self):
        association = _association(
            (make_tracklet(0, 5, track_id=1, exemplars=ANNA), 1),
            (make_tracklet(9, 12, camera_id="b", exemplars=ANNA), 2),
            (make_tracklet(4, 6, track_id=2, exemplars=ANNA), 2),
        )
        association.finish()
        owners = {association.owner(("a", 1)), association.owner(("a", 2))}
        assert len(owners) == 2

    def test_after_a_merge_its_members_exclude_others(self):
        # 3 fits 1 and fits 2; once 1 and 2 are one, 3 overlaps with 2's track.
        association = _association(
            (make_tracklet(0, 5, camera_id="a", exemplars=[0]), 1),
            (make_tracklet(0, 5, camera_id="b", exemplars=[0]), 2),
            (make_tracklet(3, 8, camera_id="b", track_id=2, exemplars=[15]), 3),
        )
        assert _ids(association.finish()) == {("b", 1): 1}
        assert sorted(association.identities) == [1, 3]

    def test_what_still_waits_is_decided_first(self):
        association = _association((make_tracklet(0, 5, exemplars=ANNA), 7))
        association.observe(make_tracklet(6, 7, camera_id="b", closed=False, exemplars=[0]))
        decisions = association.finish()
        first, *others = decisions
        assert (first.key, first.global_id, first.kind) == (("b", 1), 7, "assigned")
        assert {d.kind for d in others} <= {"confirmed"}

    def test_faded_members_weigh_nothing(self):
        association = _association(
            (make_tracklet(300, 305, camera_id="b", exemplars=ANNA), 1),
            (make_tracklet(0, 5, camera_id="a", exemplars=ANNA, count=10_000), 2),
            (make_tracklet(300, 305, camera_id="a", track_id=2, exemplars=ANNA), 2),
        )
        association.finish()
        owners = {association.owner(key) for key in (("a", 1), ("a", 2), ("b", 1))}
        assert len(owners) == 1

    def test_identities_that_have_all_faded_are_left_alone(self):
        association = _association(
            (make_tracklet(300, 305, camera_id="b", exemplars=ANNA), 1),
            (make_tracklet(0, 5, camera_id="a", exemplars=ANNA), 2),
        )
        assert association.finish() == []


class TestRevisions:
    def test_one_that_is_not_newer_changes_nothing(self):
        association = _association()
        new = make_tracklet(0, 5, revision=2, closed=False)
        for tracklet in (new, make_tracklet(0, 5, revision=2), make_tracklet(0, 3, revision=1)):
            association.observe(tracklet)
        assert association.tracklet(new.key) is new

    def test_not_after_the_decision_either(self):
        association = _association((make_tracklet(0, 5, revision=2, exemplars=ANNA), 7))
        known = association.tracklet(("a", 1))
        association.observe(make_tracklet(0, 3, revision=1, closed=False, exemplars=BERT))
        association.observe(make_tracklet(0, 3, revision=2, closed=False, exemplars=BERT))
        assert association.tracklet(("a", 1)) is known
        assert not association.waiting

    def test_a_newer_one_of_a_decided_track_goes_to_its_person(self):
        association = _association((make_tracklet(0, 5, closed=False, exemplars=BERT), 7))
        association.observe(make_tracklet(0, 8, revision=2, exemplars=ANNA))
        assert not association.waiting
        seen = make_tracklet(9, 12, camera_id="b", exemplars=ANNA)
        assert _ids(_decide(association, 12, seen)) == {("b", 1): 7}

    def test_an_unknown_track(self):
        assert _association().owner(("a", 1)) is None
        assert _association().tracklet(("a", 1)) is None


class TestForgetting:
    def test_at_the_exact_moment_still_known(self):
        association = _association((make_tracklet(0, 5), 7))
        assert association.forget(105.0) == []
        assert association.forget(math.nextafter(105.0, 106.0)) == [("a", 1)]
        assert association.owner(("a", 1)) is None
        assert not association.identities

    def test_a_person_who_is_still_seen_is_kept_whole(self):
        association = _association(
            (make_tracklet(0, 5, camera_id="a"), 7), (make_tracklet(150, 160, camera_id="b"), 7)
        )
        assert association.forget(200.0) == []
        assert association.owner(("a", 1)) == 7

    def test_forgotten_ids_are_never_used_again(self):
        association = _association((make_tracklet(0, 5), 7))
        association.forget(200.0)
        assert _ids(_decide(association, 205, make_tracklet(200, 205, track_id=2))) == {("a", 2): 8}

    def test_the_appearance_of_long_ago_are_gone(self):
        association = _association(
            (make_tracklet(0, 5, camera_id="a", exemplars=ANNA), 7),
            (make_tracklet(150, 155, camera_id="a", track_id=2, exemplars=BERT), 7),
        )
        seen = make_tracklet(156, 160, camera_id="b", exemplars=ANNA)
        assert _ids(_decide(association, 160, seen)) == {("b", 1): 8}

    def test_tracks_by_identity_and_name_whatever_the_order_of_arrival(self):
        known = [(make_tracklet(0, 1, camera_id=c), g) for c, g in (("c", 2), ("b", 1), ("a", 2))]
        forth, back = _association(*known), _association(*reversed(known))
        assert forth.forget(500) == back.forget(500) == [("b", 1), ("a", 1), ("c", 1)]


def test_numbers_that_are_no_evidence_raise_no_warning():
    nowhere = [(math.nan, math.nan)]
    association = _association((make_tracklet(0, 5, ground=nowhere), 1))
    tracklets = [
        make_tracklet(6, 7, track_id=2, ground=nowhere, exemplars=[0], qualities=[0.0]),
        make_tracklet(8, 8, track_id=3, feet=(), exemplars=[0]),
        make_tracklet(0, 5, camera_id="b", ground=[(0, 0)], exemplars=[0]),
    ]
    decisions = [*_decide(association, 9, *tracklets), *association.finish()]
    assert {d.key for d in decisions} >= {t.key for t in tracklets}
    assert np.isfinite([d.confidence for d in decisions]).all()


def test_a_first_decision_names_the_two_people_that_it_could_have_been_too():
    association = _association(
        (make_tracklet(0, 5, exemplars=ANNA), 1),
        (make_tracklet(0, 5, track_id=2, exemplars=[40, 40]), 2),
        (make_tracklet(0, 5, track_id=3, exemplars=[60, 60]), 3),
        (make_tracklet(0, 5, track_id=4, exemplars=BERT), 4),
    )
    found = make_tracklet(20, 25, camera_id="b", track_id=5, exemplars=ANNA)
    (decision, *_) = _decide(association, 25, found)
    # Among so many who look alike it is rather somebody new.
    assert decision.global_id == 5
    assert [global_id for global_id, _ in decision.runners_up] == [1, 2]
    first, second = [confidence for _, confidence in decision.runners_up]
    assert decision.confidence == pytest.approx(1 - first)
    assert first > second > 0
    (alone, *_) = _decide(_association(), 25, found)
    assert alone.runners_up == ()
