"""What changes from crop to crop of one person."""

import numpy as np
import pytest

from trackers.association.variation import within_variation, without_variation


def tracks(people, crops, seed=0, dimension=16, pose=1.0, person=1.0):
    """Sets of vectors that differ by person in all directions but the first, and there by pose."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(people):
        own = random.normal(0, person, dimension) * (np.arange(dimension) > 0)
        changes = random.normal(0, pose, (crops, 1)) * (np.arange(dimension) == 0)
        found.append((own + changes).astype(np.float32))
    return found


def test_the_direction_of_the_pose_is_attenuated_and_the_others_stay():
    variation = within_variation(tracks(40, 8, pose=5.0))
    pose, person = np.eye(16, dtype=np.float32)[:2]
    assert np.linalg.norm(without_variation(pose, variation)) < 0.3
    assert without_variation(person, variation) == pytest.approx(person, abs=1e-2)


def test_where_crops_do_not_differ_nothing_changes():
    variation = within_variation(tracks(40, 8, pose=1e-3))
    vectors = np.eye(16, dtype=np.float32)
    assert without_variation(vectors, variation) == pytest.approx(vectors, abs=1e-3)


def test_few_tracks_say_less_than_many():
    pose = np.eye(16, dtype=np.float32)[0]
    few = tracks(3, 8, pose=5.0)
    lengths = [
        np.linalg.norm(without_variation(pose, within_variation(sets))) for sets in (few, few * 20)
    ]
    assert lengths[0] > lengths[1]


@pytest.mark.parametrize("sets", [[], tracks(1, 8), tracks(5, 1), [np.zeros((0, 0), np.float32)]])
def test_without_two_tracks_of_two_crops_nothing_is_known(sets):
    variation = within_variation(sets)
    assert variation.shape == (0, 0)
    vectors = np.ones((2, 3), np.float32)
    assert without_variation(vectors, variation) is vectors


def test_equal_crops_are_no_division_by_zero():
    same = [np.ones((3, 4), np.float32)] * 3
    assert np.isfinite(within_variation(same)).all()
