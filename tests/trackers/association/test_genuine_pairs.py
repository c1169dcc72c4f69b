"""How similar one person is in two cameras, where nobody knows which pairs are one person."""

import numpy as np
import pytest

from trackers.association.genuine_pairs import NearestPair, genuine_mean

SPREAD = 0.1


def genuine(mean: float, people: int, attenuation: float = 1.0) -> list[NearestPair]:
    rng = np.random.default_rng(1)
    cosines = mean * attenuation + SPREAD * rng.standard_normal(people)
    return [NearestPair(float(cosine), attenuation, 40) for cosine in cosines]


def impostors(pairs: int, choices: int = 40) -> list[NearestPair]:
    rng = np.random.default_rng(2)
    largest = SPREAD * rng.standard_normal((pairs, choices)).max(axis=1)
    return [NearestPair(float(cosine), 1.0, choices) for cosine in largest]


def test_without_pairs_it_is_what_was_expected() -> None:
    assert genuine_mean([], SPREAD, 0.6, 12.0) == 0.6


def test_many_genuine_pairs_outweigh_what_was_expected() -> None:
    assert genuine_mean(genuine(0.5, 400), SPREAD, 0.7, 12.0) == pytest.approx(0.5, abs=0.02)


def test_few_crops_lower_cosines_and_not_the_mean() -> None:
    few = genuine_mean(genuine(0.5, 400, attenuation=0.8), SPREAD, 0.5, 12.0)
    assert few == pytest.approx(0.5, abs=0.02)


def test_the_most_similar_of_many_impostors_do_not_count() -> None:
    # The median of all of them is that of impostors.
    pairs = [*genuine(0.55, 60), *impostors(240)]
    assert np.median([pair.cosine for pair in pairs]) < 0.3
    assert genuine_mean(pairs, SPREAD, 0.6, 12.0) == pytest.approx(0.55, abs=0.03)


def test_where_nobody_is_seen_twice_it_stays_near_what_was_expected() -> None:
    assert genuine_mean(impostors(300), SPREAD, 0.6, 12.0) == pytest.approx(0.6, abs=0.05)
