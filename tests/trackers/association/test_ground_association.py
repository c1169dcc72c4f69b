import math
from dataclasses import replace

import msgspec
import pytest

from builders_ground import VIEWS, track_at
from builders_trackers import make_calibration, make_rules, make_tracklet
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import GROUND

RULES = make_rules(evidence_s=1.0, gallery_s=100.0, calibration=make_calibration(10.0, 0.5))


def _times(start, end):
    return [start + step / 4 for step in range(round((end - start) * 4))]


def _standing(place, start=0.0, end=3.0):
    return [(time, place) for time in _times(start, end)]


def _decide(association, at, *tracklets):
    for tracklet in tracklets:
        association.observe(tracklet)
    return association.decide(at)


def _ids(decisions):
    """The last decision on each part of a track."""
    return {(*decision.key, decision.since): decision.global_id for decision in decisions}


def test_nothing():
    association = GroundAssociation(RULES, VIEWS)
    assert association.decide(10.0) == []
    assert association.finish() == []
    assert association.forget(10.0) == []


def test_one_person_in_two_cameras_has_one_id():
    decisions = _decide(
        GroundAssociation(RULES, VIEWS),
        3.0,
        track_at("west", 1, _standing((4, 3))),
        track_at("south", 7, _standing((4, 3))),
    )
    assert _ids(decisions) == {("west", 1, None): 1, ("south", 7, None): 1}
    assert {decision.kind for decision in decisions} == {"assigned"}


def test_a_moment_is_followed_once_it_is_over():
    association = GroundAssociation(RULES, VIEWS)
    _decide(association, 1.25, track_at("west", 1, _standing((4, 3))))
    assert association.following.time == 1.0
    association.decide(1.35)
    assert association.following.time == 1.25


def test_a_track_that_shows_two_people_is_split():
    here, there = (3.0, 2.0), (7.0, 4.0)
    west = [
        track_at("west", 1, [*_standing(here, 0, 2), *_standing(there, 2, 4)]),
        track_at("west", 2, [*_standing(there, 0, 2), *_standing(here, 2, 4)]),
    ]
    south = [track_at("south", n, _standing(p, 0, 4)) for n, p in ((1, here), (2, there))]
    association = GroundAssociation(RULES, VIEWS)
    decisions = _decide(association, 4.0, *west, *south)
    ids = _ids(decisions)
    assert ids["south", 1, None] == ids["west", 1, None] == ids["west", 2, 2.0]
    assert ids["south", 2, None] == ids["west", 2, None] == ids["west", 1, 2.0]
    assert ids["south", 1, None] != ids["south", 2, None]


def test_a_later_split_is_told_as_one():
    here, there = (3.0, 2.0), (7.0, 4.0)
    association = GroundAssociation(RULES, VIEWS)
    for at in (2.0, 4.0):
        west = [
            track_at("west", 1, [*_standing(here, 0, 2), *_standing(there, 2, at)], revision=at),
            track_at("west", 2, [*_standing(there, 0, 2), *_standing(here, 2, at)], revision=at),
        ]
        souths = enumerate((here, there))
        south = [track_at("south", n, _standing(p, 0, at), revision=at) for n, p in souths]
        decisions = _decide(association, at, *west, *south)
    assert [(d.key, d.kind, d.since) for d in decisions] == [
        (("west", 2), "split", 2.0),
        (("west", 1), "split", 2.0),
    ]
    assert {decision.reason for decision in decisions} == {"followed on the ground"}


def test_what_is_not_calibrated_is_associated_as_ever():
    association = GroundAssociation(RULES, VIEWS)
    walk = track_at("west", 1, _standing((4, 3)), exemplars=[0, 0])
    elsewhere = make_tracklet(9, 12, camera_id="gate", exemplars=[0, 0])
    decisions = _decide(association, 12.0, walk, elsewhere)
    assert _ids(decisions) == {("west", 1, None): 1, ("gate", 1, None): 1}


def test_two_at_one_time_on_the_ground_are_two_people_however_alike():
    decisions = _decide(
        GroundAssociation(RULES, VIEWS),
        3.0,
        track_at("west", 1, _standing((3, 2)), exemplars=[0, 0]),
        track_at("south", 1, _standing((7, 4)), exemplars=[0, 0]),
    )
    assert len(set(_ids(decisions).values())) == 2


def test_who_is_seen_twice_only_is_nobody():
    association = GroundAssociation(RULES, VIEWS)
    association.observe(track_at("west", 1, _standing((4, 3), 0, 0.5)))
    assert association.finish() == []


def test_a_revision_that_is_not_newer_changes_nothing():
    association = GroundAssociation(RULES, VIEWS)
    new = track_at("west", 1, _standing((4, 3)), revision=2)
    for tracklet in (new, track_at("west", 1, _standing((9, 3)), revision=2)):
        association.observe(tracklet)
    assert association.tracklet(("west", 1)) is new


def test_old_walks_and_tracks_are_forgotten():
    association = GroundAssociation(RULES, VIEWS)
    _decide(association, 3.0, track_at("west", 1, _standing((4, 3))))
    association.observe(track_at("west", 2, _standing((9, 1), 8, 8.5)))
    association.decide(9.0)
    assert association.forget(102.75) == []
    assert association.forget(math.nextafter(102.75, 103)) == [(GROUND, 1), ("west", 1)]
    assert association.log.shown == {}
    assert association.forget(109.0) == [("west", 2)]
    assert association.tracklet(("west", 2)) is None


def _world(association, at):
    """What is known at ``at``: two who cross, whose tracks in the west are cut and mixed up."""
    paths = {
        1: [(t, (2 + t / 2, 2 + t / 8)) for t in _times(0, at)],
        2: [(t, (6 - t / 2, 3 - t / 8)) for t in _times(0, at)],
    }
    tracks = [track_at("south", n, path, revision=at, exemplars=[0]) for n, path in paths.items()]
    for start in range(0, at, 2):
        for n, path in paths.items():
            part = [(t, place) for t, place in path if start <= t < start + 2]
            name = 10 * start + (n if start % 4 else 3 - n)
            tracks.append(track_at("west", name, part, revision=at, closed=start + 2 < at))
    return tracks


def _run(*, restart_at=None, backwards=False):
    association, decisions = GroundAssociation(RULES, VIEWS), []
    stored = {}
    for at in range(1, 9):
        if at == restart_at:
            memory = msgspec.msgpack.decode(msgspec.msgpack.encode(association.memory()))
            fresh = GroundAssociation(RULES, VIEWS)
            fresh.remember(memory)
            for tracklet, owner in stored.values():
                key = tracklet.key
                fresh.restore(tracklet, owner, association.state(key), association.clarity(key))
            fresh.next_global_id = association.next_global_id
            association = fresh
        tracks = _world(association, at)
        for tracklet in tracks[::-1] if backwards else tracks:
            association.observe(tracklet)
        decisions += association.decide(at)
        keys = [t.key for t in tracks] + association.pop_changed()
        stored |= {key: (association.tracklet(key), association.owner(key)) for key in keys}
    return decisions + association.finish()


def test_the_world_is_worth_it():
    decisions = _run()
    assert len({decision.global_id for decision in decisions}) == 2
    assert len(decisions) > 8


@pytest.mark.parametrize("restart_at", [2, 3, 5, 8])
def test_a_restart_changes_nothing(restart_at):
    assert _run(restart_at=restart_at) == _run()


def test_the_order_of_arrival_changes_nothing():
    assert _run(backwards=True) == _run()


def test_a_place_that_is_not_known_is_left_out():
    tracklet = track_at("west", 1, _standing((4, 3)))
    tracklet = replace(tracklet, ground=tracklet.ground * math.nan)
    association = GroundAssociation(RULES, VIEWS)
    assert _decide(association, 3.0, tracklet) == []
    assert association.finish() == []


def _passing(camera_id, until):
    """The tracks of two who pass each other at 2.0 s, where their tracks are swapped, then lost."""
    steps = {0: [], 1: [], 20: [], 21: []}
    for number in range(round(until * 4) + 1):
        away = number / 4 - 2.0
        x, y, side = 0.05 + 0.9 * abs(away), 0.6 * abs(away), 1 if away > 0 else -1
        tracks = (0, 1) if away <= 0 else (1, 0) if away < 0.3 else (20, 21)
        steps[tracks[0]].append((number / 4, (5 + side * x, 3 - y)))
        steps[tracks[1]].append((number / 4, (5 - side * x, 3 + y)))
    return [
        track_at(camera_id, track, found, revision=number)
        for track, found in steps.items()
        if found
    ]


def test_who_were_taken_for_each_other_are_told_again():
    association, decisions = GroundAssociation(RULES, VIEWS), []
    for at in (1.5, 2.25, 2.35, 2.6, 3.0, 4.0):
        # As after a restart in between.
        memory = association.memory()
        again = GroundAssociation(RULES, VIEWS)
        again.remember(msgspec.msgpack.decode(msgspec.msgpack.encode(memory)))
        assert msgspec.msgpack.encode(again.memory()) == msgspec.msgpack.encode(memory)
        for camera_id in VIEWS:
            for tracklet in _passing(camera_id, at):
                association.observe(replace(tracklet, revision=round(at * 20)))
        decisions += association.decide(at)
    ids = {(d.key, d.since and round(d.since, 1)): d.global_id for d in decisions}
    for camera_id in VIEWS:
        first, second = ids[(camera_id, 0), None], ids[(camera_id, 1), None]
        assert first != second
        # From the moment after they met each track shows the other.
        assert ids[(camera_id, 0), 2.2] == ids[(camera_id, 21), None] == second
        assert ids[(camera_id, 1), 2.2] == ids[(camera_id, 20), None] == first


def test_what_was_told_of_a_later_track_is_put_right():
    association = GroundAssociation(RULES, VIEWS)
    places = (3.0, 2.0), (7.0, 4.0)
    tracks = [
        track_at("west", n + 1 + 2 * part, _standing(place, 1.5 * part, 1.5 + 1.5 * part))
        for n, place in enumerate(places)
        for part in (0, 1)
    ]
    before = _ids(_decide(association, 3.0, *tracks))
    association.log.exchange(1, 2, 1.5, {t.key: t for t in tracks})
    decisions = association.decide(3.1)
    assert {(d.key, d.since, d.kind) for d in decisions} == {
        (("west", 3), None, "reassigned"),
        (("west", 4), None, "reassigned"),
    }
    assert _ids(decisions)["west", 3, None] == before["west", 2, None] == before["west", 4, None]
