"""Everybody who is known: what follows when a tracklet becomes somebody's, or nobody's."""

from builders_trackers import make_people, make_tracklet
from trackers.association.topology import topology_of

A1, A2, B3 = ("a", 1), ("a", 2), ("b", 3)


def seen(camera_id, track_id, start, **more):
    return make_tracklet(start, start + 5, camera_id=camera_id, track_id=track_id, **more)


def three():
    """Person 1 in both cameras, person 2 in one."""
    return make_people(
        {1: [seen("a", 1, 0), seen("b", 3, 20)], 2: [seen("a", 2, 3)]}, topology_of({("a", "b"): 9})
    )


def test_nobody_is_known():
    people = make_people({})
    assert people.next_global_id == 1
    assert people.owner(A1) is people.tracklet(A1) is None
    assert people.tracks == len(people.presence.cameras) == 0
    assert people.forget([]) == people.fade(9.0) == []


def test_who_joins_is_known():
    people = three()
    assert (people.owner(A1), people.owner(A2), people.owner(B3)) == (1, 2, 1)
    assert people.next_global_id == 3
    assert people.tracklet(B3).start == 20


def test_a_newer_revision_takes_the_place_of_the_older():
    people = three()
    people.update(seen("a", 2, 3, revision=2))
    assert people.tracklet(A2).revision == 2
    assert len(people.identities[2].members) == 1


def test_those_who_are_regrouped_are_others_everywhere():
    people = three()
    people.confirm(A1)
    people.confirm(B3)
    people.regroup({B3: 7})
    assert {i: [*person.members] for i, person in people.identities.items()} == {
        1: [A1],
        2: [A2],
        7: [B3],
    }
    assert (people.state(A1), people.state(B3)) == ("confirmed", "probable")
    assert people.next_global_id == 8
    # Who came to "b" is where they were seen last.
    assert 7 in people.candidates.of([seen("b", 9, 26)])
    assert people.identities[1].last_seen == 5


def test_regrouped_and_back_again_all_is_as_before():
    people = three()
    people.regroup({A1: 2, A2: 1})
    people.regroup({A1: 1, A2: 2})
    assert {i: [*person.members] for i, person in people.identities.items()} == {
        1: [A1, B3],
        2: [A2],
    }
    assert people.candidates.of([seen("b", 9, 30)]) == three().candidates.of([seen("b", 9, 30)])


def test_who_is_forgotten_leaves_nothing():
    people = three()
    people.confirm(A1)
    assert people.forget([1]) == [A1, B3]
    assert people.owner(A1) is None
    assert people.state(A1) == "probable"
    assert people.candidates.of([seen("b", 9, 30)]) == [2]
    assert people.presence.beside(seen("a", 9, 0)) == [(2, A2)]
    assert people.next_global_id == 3


def test_tracks_and_cameras_are_counted_until_they_are_forgotten():
    people = three()
    assert (people.tracks, people.presence.cameras) == (3, ["a", "b"])
    people.forget([1])
    assert (people.tracks, people.presence.cameras) == (1, ["a"])


def test_what_ended_before_a_moment_fades():
    people = three()
    assert people.fade(5.0) == []
    assert people.fade(5.1) == [A1]
    assert not len(people.tracklet(A1).path)
