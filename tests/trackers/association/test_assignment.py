import math
from itertools import product

import numpy as np
import pytest

from builders_trackers import make_tracklet
from trackers.association.scores import assign, best_other, likeliest, moments


def _total(scores, taken, alone):
    return sum(alone if column is None else scores[row, column] for row, column in enumerate(taken))


def _best_total(scores, alone):
    """By trying everything."""
    rows, columns = scores.shape
    totals = []
    for taken in product([None, *range(columns)], repeat=rows):
        used = [column for column in taken if column is not None]
        if len(used) == len(set(used)):
            totals.append(_total(scores, taken, alone))
    return max(totals)


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 3), (2, 0)])
def test_nothing_to_take(rows, columns):
    assert assign(np.zeros((rows, columns)), 0.0) == [None] * rows


def test_exactly_the_threshold_is_not_taken():
    assert assign(np.array([[1.0]]), 1.0) == [None]
    assert assign(np.array([[np.nextafter(1.0, 2.0)]]), 1.0) == [0]


def test_forbidden_is_never_taken():
    assert assign(np.full((2, 2), -np.inf), -1000.0) == [None, None]


def test_no_column_is_taken_twice():
    assert assign(np.array([[3.0], [2.0]]), 0.0) == [0, None]


def test_the_sum_counts_not_the_single_best():
    # 5 alone would leave 1 for the other: 4 + 4 is more.
    assert assign(np.array([[5.0, 4.0], [4.0, 1.0]]), 0.0) == [1, 0]


@pytest.mark.parametrize("seed", range(40))
def test_the_sum_is_the_largest_possible(seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, rng.integers(1, 5, 2))
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    alone = float(rng.normal())
    taken = assign(scores, alone)
    used = [column for column in taken if column is not None]
    assert len(used) == len(set(used))
    assert _total(scores, taken, alone) == pytest.approx(_best_total(scores, alone))


def test_the_best_other_without_anybody():
    assert best_other(np.zeros((1, 0)), 0, [None]) == -np.inf


def test_the_best_other_that_nobody_took():
    assert best_other(np.array([[-3.0, -1.0]]), 0, [None]) == -1.0


def test_who_went_to_a_better_one_is_hardly_another():
    scores = np.array([[5.0], [1.0]])
    assert best_other(scores, 1, [0, None]) == -4.0


def test_moments_are_groups_that_are_all_there_together():
    a, b, c = make_tracklet(0, 2), make_tracklet(1, 4), make_tracklet(3, 5)
    assert moments([a, b, c]) == [[a, b], [c]]
    assert moments([a, make_tracklet(2, 3)])[0][0] is a
    assert len(moments([a, make_tracklet(2, 3)])) == 1
    assert moments([]) == []


def test_the_likeliest_columns_in_order_and_never_impossible_ones():
    assert likeliest(np.array([]), 2) == []
    assert likeliest(np.array([-math.inf, 1.0, -math.inf]), 2) == [1]
    assert likeliest(np.array([3.0, 1.0, 3.0, 2.0, 3.0]), 2) == [0, 2]
