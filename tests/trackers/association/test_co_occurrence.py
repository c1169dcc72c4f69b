"""Who was in one camera at one time."""

import pytest

from builders_trackers import make_tracklet
from trackers.association.people import Presence


def test_nobody_was_there() -> None:
    assert Presence().beside(make_tracklet(0, 1)) == []


@pytest.mark.parametrize(("start", "beside"), [(4.9, True), (5.0, True), (5.1, False)])
def test_the_exact_end_is_at_the_same_time(start: float, beside: bool) -> None:
    presence = Presence()
    presence.update(7, make_tracklet(0, 5))
    assert presence.beside(make_tracklet(start, 9, track_id=2)) == ([(7, ("a", 1))] * beside)


def test_another_camera_does_not_count() -> None:
    presence = Presence()
    presence.update(7, make_tracklet(0, 5, camera_id="b"))
    assert presence.beside(make_tracklet(0, 5, track_id=2)) == []


def test_in_order_of_people_whatever_the_order_of_arrival() -> None:
    long, short = make_tracklet(0, 50, track_id=1), make_tracklet(2, 3, track_id=2)
    asked = make_tracklet(2, 9, track_id=3)
    for told in ([(8, long), (7, short)], [(7, short), (8, long)]):
        presence = Presence()
        for global_id, tracklet in told:
            presence.update(global_id, tracklet)
        assert presence.beside(asked) == [(7, ("a", 2)), (8, ("a", 1))]


def test_a_revision_takes_the_place_of_the_last() -> None:
    presence = Presence()
    presence.update(7, make_tracklet(0, 5))
    presence.update(8, make_tracklet(6, 7, track_id=2))
    presence.update(7, make_tracklet(0, 20, revision=2))
    assert presence.beside(make_tracklet(15, 16, track_id=3)) == [(7, ("a", 1))]


def test_who_is_forgotten_is_not_there() -> None:
    presence = Presence()
    presence.update(7, make_tracklet(0, 5))
    presence.forget(("a", 1))
    assert presence.beside(make_tracklet(0, 5, track_id=2)) == []
