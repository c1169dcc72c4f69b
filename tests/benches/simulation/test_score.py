"""IDF1 by seconds, on hand-made cases and against all possible matchings."""

from itertools import permutations

import numpy as np
import pytest

from simulation.score import idf1


def score(person: list[int], identity: list[int], seconds: list[float]) -> float:
    return idf1(np.array(person), np.array(identity), np.array(seconds))


@pytest.mark.parametrize(
    ("person", "identity", "seconds", "expected"),
    [
        ([1, 1, 2], [7, 7, 8], [1.0, 2.0, 3.0], 1.0),
        # Split in two: the longer part counts.
        ([1, 1], [7, 8], [1.0, 3.0], 0.75),
        # Two people as one: the longer one counts.
        ([1, 2], [7, 7], [1.0, 3.0], 0.75),
        # No identity: a miss, but not a false positive.
        ([1, 1], [7, -1], [3.0, 1.0], 2 * 3 / (4 + 3)),
        ([1, 2], [-1, -1], [1.0, 1.0], 0.0),
    ],
)
def test_hand_made(
    person: list[int], identity: list[int], seconds: list[float], expected: float
) -> None:
    assert score(person, identity, seconds) == pytest.approx(expected)


def test_the_matching_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        person, identity = rng.integers(0, 4, 12), rng.integers(0, 4, 12)
        seconds = rng.uniform(0.5, 5, 12)
        agreed = max(
            sum(seconds[(person == p) & (identity == i)].sum() for p, i in enumerate(order))
            for order in permutations(range(4))
        )
        assert idf1(person, identity, seconds) == pytest.approx(agreed / seconds.sum())
