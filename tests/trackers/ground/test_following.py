from dataclasses import replace

import pytest

from builders_ground import VIEWS, point_at
from trackers.ground.following import Following
from trackers.ground.sides import FOOT, LYING


def _step(following, time, **cameras):
    """Take ``camera=[(track, place), ...]`` at a time; returns what came of it."""
    points = {
        camera_id: [point_at(camera_id, track, time, place) for track, place in seen]
        for camera_id, seen in cameras.items()
    }
    return following.step(time, points)


def test_nothing():
    step = Following(VIEWS).step(0.0, {})
    assert (step.seen, step.places, step.gone) == ({}, {}, [])


def test_one_person_in_two_cameras_is_one_walker():
    step = _step(Following(VIEWS), 0.0, west=[(1, (4, 3))], south=[(5, (4, 3))])
    assert step.seen == {("west", 1): 1, ("south", 5): 1}
    assert step.places[1] == pytest.approx((4, 3), abs=0.05)


def test_two_people_in_two_cameras():
    step = _step(
        Following(VIEWS), 0.0, west=[(1, (4, 2)), (2, (6, 4))], south=[(1, (6, 4)), (2, (4, 2))]
    )
    assert step.seen["west", 1] == step.seen["south", 2]
    assert step.seen["west", 2] == step.seen["south", 1]
    assert step.seen["west", 1] != step.seen["west", 2]


def test_people_are_followed_whatever_their_tracks_are_called():
    following = Following(VIEWS)
    for number in range(8):
        x = 2 + 0.3 * number
        step = _step(following, number / 4, west=[(number, (x, 3))], south=[(90, (x, 3.0))])
        assert set(step.seen.values()) == {1}


def test_a_track_that_jumps_to_somebody_else_is_put_right():
    following = Following(VIEWS)
    for number in range(8):
        here, there = (3 + 0.2 * number, 2.0), (6 - 0.2 * number, 4.0)
        west = [(1, here), (2, there)] if number < 4 else [(2, here), (1, there)]
        step = _step(following, number / 4, west=west, south=[(1, here), (2, there)])
    assert step.seen["west", 2] == step.seen["south", 1]
    assert step.seen["west", 1] == step.seen["south", 2]
    assert len(following.walks) == 2


def test_weak_boxes_go_on_with_people_but_do_not_begin_them():
    following = Following(VIEWS)
    weak = {"west": [point_at("west", 1, 0.0, (4, 3), score=0.499)]}
    assert following.step(0.0, weak).seen == {}
    strong = {"west": [point_at("west", 1, 0.25, (4, 3), score=0.5)]}
    assert following.step(0.25, strong).seen == {("west", 1): 1}
    weak = {"west": [point_at("west", 1, 0.5, (4, 3), score=0.1)]}
    assert following.step(0.5, weak).seen == {("west", 1): 1}


def test_who_is_lost_is_kept_for_a_while():
    following = Following(VIEWS)
    for number in range(3):
        _step(following, number / 4, south=[(1, (4, 3))])
    assert following.step(0.5 + 1.5, {}).gone == []
    (gone,) = following.step(2.01, {}).gone
    assert (gone.number, gone.last, gone.hits) == (1, 0.5, 3)
    assert following.walks == []
    assert len(following.walkers) == 0


def test_who_was_hardly_seen_is_dropped_soon():
    following = Following(VIEWS)
    _step(following, 0.0, south=[(1, (4, 3))])
    _step(following, 0.25, south=[(1, (4, 3))])
    assert following.step(0.5, {}).gone == []
    (gone,) = following.step(0.6, {}).gone
    assert gone.tentative


def test_somebody_far_off_is_somebody_new():
    following = Following(VIEWS)
    _step(following, 0.0, south=[(1, (3, 3))])
    assert _step(following, 0.25, south=[(1, (7, 3))]).seen == {("south", 1): 2}


def test_the_order_of_points_changes_nothing():
    west = [(1, (4.0, 2.0)), (2, (4.5, 2.5)), (3, (5.0, 3.0))]
    a, b = Following(VIEWS), Following(VIEWS)
    for number in range(4):
        first = _step(a, number / 4, west=west, south=west)
        second = _step(b, number / 4, south=west[::-1], west=west[::-1])
        assert first.seen == second.seen
        assert first.places == second.places


def _box(track_id, time, place, *, top_of=1.7, foot_of=0.0, unsure=0):
    """A box of somebody whose highest and lowest point are so many metres above the ground."""
    usual = point_at("west", track_id, time, place)
    metre = (usual.foot - usual.top) / 1.7
    foot, top = usual.foot - foot_of * metre, usual.foot - top_of * metre
    return replace(usual, foot=foot, top=top, unsure=unsure)


def _walkers_after(boxes):
    following = Following(VIEWS)
    return [following.step(box.time, {"west": [box]}).seen.get(("west", 1)) for box in boxes]


def test_who_falls_and_gets_up_again_is_the_same_walker():
    upright = [_box(1, n / 4, (4, 3)) for n in range(12)]
    falling = [_box(1, 3 + n / 4, (4, 3), top_of=1.2 - 0.3 * n) for n in range(3)]
    lying = [_box(1, 3.75 + n / 4, (4, 3), top_of=0.4, unsure=LYING) for n in range(8)]
    again = [_box(1, 5.75 + n / 4, (4, 3)) for n in range(8)]
    assert _walkers_after([*upright, *falling, *lying, *again]) == [1] * 31


def test_who_jumps_is_the_same_walker():
    heights = [0.0] * 8 + [0.3, 0.5, 0.3, 0.0] * 4
    boxes = [
        _box(1, n / 4, (4, 3), top_of=1.7 + height, foot_of=height)
        for n, height in enumerate(heights)
    ]
    assert _walkers_after(boxes) == [1] * len(boxes)


def test_another_person_in_the_same_track_is_not_the_same_walker():
    boxes = [_box(1, n / 4, (4, 3)) for n in range(8)]
    boxes.append(_box(1, 2.0, (4, 5)))
    assert _walkers_after(boxes)[-2:] == [1, 2]


def test_a_box_without_feet_begins_nobody_but_continues_who_is_known():
    cut = [_box(1, n / 4, (4, 3), foot_of=0.8, unsure=FOOT) for n in range(4)]
    assert _walkers_after(cut) == [None] * 4
    whole = [_box(1, n / 4, (4, 3)) for n in range(4)]
    later = [replace(box, time=box.time + 1) for box in cut]
    assert _walkers_after([*whole, *later]) == [1] * 8
