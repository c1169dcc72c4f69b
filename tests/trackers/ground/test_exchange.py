import numpy as np
import pytest

from builders_ground import VIEWS, observed_at, point_at
from trackers.ground.exchange import Alternatives, Boxes, exchanged, near_pairs
from trackers.ground.following import Following
from trackers.ground.kalman import no_walkers, predicted, started, updated
from trackers.ground.walk_log import following_memory, remember_following

NOTHING = 16.0


def _boxes(seen, rows):
    count = len(rows[0]) if len(rows) else 0
    extra = [np.zeros((len(one.boxes), count)) for one in seen]
    return Boxes(seen, np.array(rows), extra, NOTHING)


def test_nothing():
    assert exchanged(no_walkers(), Boxes([], np.zeros((0, 0), int), [], NOTHING)).shape == (0, 0)
    alternatives = Alternatives()
    alternatives.update(0.0, no_walkers(), {}, Boxes([], np.zeros((0, 0), int), [], NOTHING))
    assert (len(alternatives), alternatives.clear()) == (0, [])


def test_near_is_nearer_than_one_and_a_half_metres():
    walkers = started(observed_at("west", (4, 3), (4, 4.499), (4, 5.999)))
    assert near_pairs(walkers, np.arange(3)).tolist() == [[0, 1]]
    assert near_pairs(walkers, np.array([2, 1])).tolist() == []


def test_boxes_taken_for_each_other_are_put_right():
    places = (4.0, 2.7), (4.0, 3.3)
    walkers = started(observed_at("west", *places))
    seen = [observed_at("west", *places), observed_at("south", *places)]
    for rows in ([[0, 1], [0, 1]], [[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [1, 0]]):
        assert exchanged(walkers, _boxes(seen, rows)).tolist() == [[0, 1], [0, 1]]
    # Whose box is nowhere stays without one.
    assert exchanged(walkers, _boxes(seen, [[1, -1], [-1, 0]])).tolist() == [[-1, 1], [0, -1]]


def test_a_box_that_fits_only_the_one_is_not_given_to_the_other():
    places = (4.0, 2.5), (4.0, 3.5)
    walkers = started(observed_at("west", *places))
    boxes = _boxes([observed_at("west", *places)], [[0, -1]])._replace(
        extra=[np.full((2, 2), 99.0)]
    )
    assert exchanged(walkers, boxes).tolist() == [[0, -1]]


def _walking(*lines):
    """Walkers at places ``(x, y)`` with velocities ``(x, y)`` that are known well."""
    walkers = started(observed_at("south", *(place for place, _ in lines)))
    walkers.states[:, 2:4] = [velocity for _, velocity in lines]
    walkers.spreads[:, range(2, 4), range(2, 4)] = 0.2**2
    return walkers


def _followed(rows_at):
    """Two who walk through each other; ``rows_at`` says whose boxes they get at each moment."""
    walkers = _walking(((4.0, 3.0), (0.8, 0.0)), ((4.4, 3.0), (-0.8, 0.0)))
    alternatives, clear = Alternatives(), []
    for number, rows in enumerate(rows_at):
        if number:
            walkers = predicted(walkers, 0.25)
            alternatives.predict(0.25)
        seen = observed_at("south", (4.0 + 0.2 * number, 3.0), (4.4 - 0.2 * number, 3.0))
        boxes = _boxes([seen], [rows])
        alternatives.update(number / 4, walkers, {7: 0, 9: 1}, boxes)
        walkers = updated(walkers, seen, np.array(rows), np.arange(2))
        clear.append(alternatives.clear())
    return alternatives, clear


def test_who_was_taken_for_another_is_found_by_how_both_walk_on():
    alternatives, clear = _followed([[0, 1], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0]])
    assert clear[:2] == [[], []]
    assert clear[-1] == [0]
    assert alternatives.numbers.tolist() == [[7, 9]]
    assert alternatives.since.tolist() == [0.25]
    # The first of the pair is where its own boxes are.
    assert alternatives.walkers.states[0, 0] == pytest.approx(5.0, abs=0.1)
    assert alternatives.walkers.states[1, 0] == pytest.approx(3.4, abs=0.1)


def test_who_was_taken_rightly_stays():
    alternatives, clear = _followed([[0, 1]] * 6)
    assert clear == [[]] * 6
    assert (alternatives.excess > 0).all()


def test_an_alternative_is_given_up_in_the_end():
    alternatives, _ = _followed([[0, 1]] * 3)
    alternatives.update(9.0, no_walkers(), {}, _boxes([], np.zeros((0, 0), int)))
    assert len(alternatives) == 0


def _passing(number):
    """Where two are who pass each other closely at 2.0 s, and their tracks.

    Both trackers swap them there, and then lose them.
    """
    away = number / 4 - 2.0
    x, y = 0.05 + 0.9 * abs(away), 0.6 * abs(away)
    side = 1 if away > 0 else -1
    tracks = (0, 1) if away <= 0 else (1, 0) if away < 0.3 else (20, 21)
    return (5 + side * x, 3 - y), (5 - side * x, 3 + y), tracks


def test_an_exchange_is_told_with_its_moment():
    following, exchanges = Following(VIEWS), []
    for number in range(17):
        *places, tracks = _passing(number)
        points = {
            camera_id: [
                point_at(camera_id, track, number / 4, place)
                for track, place in zip(tracks, places, strict=True)
            ]
            for camera_id in VIEWS
        }
        step = following.step(number / 4, points)
        exchanges += step.exchanges
        if number == 4:
            first = step.seen
    assert [(one.a, one.b) for one in exchanges] == [(1, 2)]
    assert 2.0 <= exchanges[0].since <= 2.5
    assert step.seen["west", 20] == first["west", 0]
    assert step.seen["south", 21] == first["south", 1]
    again = Following(VIEWS)
    remember_following(again, following_memory(following))
    assert following_memory(again) == following_memory(following)
