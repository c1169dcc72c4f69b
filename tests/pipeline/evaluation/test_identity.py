"""The best way to give true ids predicted ids, against all ways."""

from itertools import permutations

import numpy as np
import pytest

from pipeline.evaluation.tally import identity_matches


def _by_trying(boxes: np.ndarray) -> int:
    people, ids = boxes.shape
    wide = np.hstack([boxes, np.zeros((people, people), int)])
    ways = permutations(range(ids + people), people)
    return max(int(wide[range(people), way].sum()) for way in ways)


@pytest.mark.parametrize("seed", range(8))
def test_as_many_as_the_best_of_all_ways(seed: int) -> None:
    chance = np.random.default_rng(seed)
    boxes = chance.integers(0, 9, (3, 4)) * (chance.random((3, 4)) < 0.5)
    truth, predicted = np.divmod(np.arange(12), 4)
    # The numbers of ids may have gaps: ids that overlap nothing.
    assert identity_matches(truth * 5, predicted * 3, boxes.ravel()) == _by_trying(boxes)


def test_nothing_overlaps() -> None:
    nothing = np.zeros(0, np.int64)
    assert identity_matches(nothing, nothing, nothing) == 0
    assert identity_matches(np.array([0]), np.array([0]), np.array([0])) == 0
