import numpy as np
import pytest

from builders_ground import VIEWS, box_at, observed_at
from trackers.ground.kalman import (
    expected,
    fit_costs,
    no_walkers,
    observations,
    pair_costs,
    predicted,
    started,
    updated,
)
from trackers.ground.view import View, view_of_homography


def test_nobody_and_nothing():
    nothing = observed_at("west")
    assert fit_costs(no_walkers(), nothing).shape == (0, 0)
    assert fit_costs(no_walkers(), observed_at("west", (4, 3))).shape == (1, 0)
    assert len(started(nothing)) == 0
    assert len(predicted(no_walkers(), 1.0)) == 0


def test_somebody_new_stands_where_the_box_says_and_is_as_tall_as_people_are():
    walkers = started(observed_at("west", (4, 3)))
    np.testing.assert_allclose(walkers.states, [[4, 3, 0, 0, 1.7, 0, 0]], atol=1e-6)
    boxes, _ = expected(walkers, VIEWS["west"])
    np.testing.assert_allclose(boxes, [box_at("west", (4, 3))], atol=1e-6)


def test_further_away_is_less_certain():
    near, far = started(observed_at("west", (2, 3), (9, 3))).spreads[:, 0, 0]
    assert far > 4 * near


def test_the_derivatives_are_those_of_the_boxes():
    walkers = started(observed_at("south", (4, 3)))
    _, slopes = expected(walkers, VIEWS["south"])
    for column in range(7):
        step = 1e-5 * np.eye(7)[column]
        moved = expected(type(walkers)(walkers.states + step, walkers.spreads), VIEWS["south"])[0]
        before = expected(type(walkers)(walkers.states - step, walkers.spreads), VIEWS["south"])[0]
        np.testing.assert_allclose(slopes[0, :, column], (moved - before)[0] / 2e-5, atol=1e-3)


def test_a_box_fits_its_own_walker_best():
    cost = fit_costs(
        started(observed_at("west", (4, 3), (6, 5))), observed_at("south", (6, 5), (4, 3))
    )
    assert cost.argmin(axis=1).tolist() == [1, 0]


def test_nobody_behind_a_camera_is_seen_by_it():
    behind = started(observed_at("south", (4, 3)))
    behind.states[0, :2] = (-20, 3)
    assert fit_costs(behind, observed_at("west", (4, 3))).tolist() == [[np.inf]]


def test_a_second_camera_makes_the_place_certain():
    walkers = started(observed_at("west", (8, 3)))
    one = np.zeros(1, np.intp)
    both = updated(walkers, observed_at("south", (8, 3)), one, one)
    assert both.spreads[0, 0, 0] < walkers.spreads[0, 0, 0] / 2
    assert updated(walkers, observed_at("south", (8, 3)), one[:0], one[:0]) is walkers


def test_who_walks_goes_on_walking():
    walkers = started(observed_at("south", (4, 3)))
    walkers.states[0, 2:4] = (1.0, -0.5)
    np.testing.assert_allclose(predicted(walkers, 2.0).states[0, :4], [6, 2, 1, -0.5])


def test_a_homography_says_nothing_of_heights():
    flat = view_of_homography(VIEWS["west"].projection[:, [0, 1, 3]])
    box, ground = np.array([box_at("west", (4, 3))]), np.array([[4.0, 3.0]])
    walkers = started(observations(flat, box, ground))
    higher = observations(flat, box - [[0, 0, 50]], ground)
    assert fit_costs(walkers, higher) == pytest.approx(
        fit_costs(walkers, observations(flat, box, ground)), abs=1.0
    )
    upright = observations(VIEWS["west"], box - [[0, 0, 50]], ground)
    assert fit_costs(started(observations(VIEWS["west"], box, ground)), upright)[0, 0] > 10


def test_in_front():
    view: View = VIEWS["west"]
    assert view.in_front(np.array([[4.0, 3.0], [-20.0, 3.0]])).tolist() == [True, False]


def test_costs_of_pairs_are_those_of_all():
    walkers = started(observed_at("west", (4, 3), (5, 2), (4.2, 3.4)))
    seen = observed_at("south", (4.1, 3), (5, 2.2))
    rows, columns = np.array([0, 1, 1]), np.array([2, 0, 1])
    expected_costs = fit_costs(walkers, seen)[rows, columns]
    np.testing.assert_allclose(pair_costs(walkers, seen, rows, columns), expected_costs)
