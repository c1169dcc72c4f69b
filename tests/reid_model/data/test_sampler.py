"""Batches of P people with K pictures each."""

from collections import Counter

import numpy as np
import pytest

from reid_model.data.sampler import PKSampler


def labels(*pictures: int) -> np.ndarray:
    """Person i has ``pictures[i]`` pictures, mixed with all others."""
    people = np.repeat(np.arange(len(pictures)), pictures)
    return np.random.default_rng(0).permutation(people)


def test_every_batch_has_p_people_with_k_pictures() -> None:
    people = labels(*range(4, 44))
    for batch in PKSampler(people).epoch(0):
        assert len(batch) == 64
        for start in range(0, 64, 4):
            assert len(set(people[batch[start : start + 4]])) == 1
        assert set(Counter(people[batch]).values()) == {4}


def test_an_epoch_has_no_picture_twice_and_drops_the_rest() -> None:
    people = labels(9, 9, 9)
    drawn = [index for batch in PKSampler(people, identities=3).epoch(0) for index in batch]
    assert len(drawn) == len(set(drawn)) == 24  # 2 groups of 4 of each: the ninth is left
    assert Counter(people[drawn]) == {0: 8, 1: 8, 2: 8}


def test_people_with_few_pictures_are_drawn_with_replacement() -> None:
    people = labels(1, 3, 4)
    (batch,) = PKSampler(people, identities=3).epoch(0)
    assert Counter(people[batch]) == {0: 4, 1: 4, 2: 4}
    assert len({index for index in batch if people[index] == 0}) == 1
    assert len({index for index in batch if people[index] == 2}) == 4


def test_it_ends_when_too_few_people_remain() -> None:
    # Person 0 has five groups, but after the others' single groups no second person is left.
    assert len(PKSampler(labels(20, 4, 4), identities=2).epoch(0)) == 2
    assert len(PKSampler(labels(20, 4, 4), identities=3).epoch(0)) == 1
    assert len(PKSampler(labels(4, 4, 4), identities=1).epoch(0)) == 3


def test_one_seed_and_epoch_give_the_same_batches() -> None:
    people = labels(*[9] * 20)
    sampler = PKSampler(people, seed=7)
    first = sampler.epoch(3)
    sampler.epoch(4)
    assert sampler.epoch(3) == first == PKSampler(people, seed=7).epoch(3)
    assert sampler.epoch(4) != first
    assert PKSampler(people, seed=8).epoch(3) != first


def test_too_few_people() -> None:
    assert len(PKSampler(labels(*[4] * 16)).epoch(0)) == 1
    with pytest.raises(ValueError, match="16 identities x 4 pictures cannot be made of 15"):
        PKSampler(labels(*[4] * 15))
    with pytest.raises(ValueError, match="of 0 identities"):
        PKSampler(labels())
    with pytest.raises(ValueError, match="cannot be made"):
        PKSampler(labels(4, 4), identities=1, images=0)
