"""Simulated embeddings have the measured distribution."""

import numpy as np
import pytest
from numpy.typing import NDArray

from simulation.appearance import (
    DIMENSION,
    IMPOSTORS,
    IMPOSTORS_SAME_CAMERA,
    SAME_PERSON,
    SAME_VISIT,
    AppearanceModel,
)

PEOPLE = 300


def first_crops(camera: int, visits_from: int) -> NDArray[np.float32]:
    appearance = AppearanceModel(seed=3)
    rows = [appearance.crops(person, camera, visits_from + person, 2) for person in range(PEOPLE)]
    return np.stack(rows)


def test_reproducible_unit_vectors() -> None:
    crops = AppearanceModel(seed=3).crops(person=1, camera=2, visit=3, count=4)
    assert crops.shape == (4, DIMENSION)
    assert crops.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(crops, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(crops, AppearanceModel(seed=3).crops(1, 2, 3, 4))
    assert not np.allclose(crops, AppearanceModel(seed=4).crops(1, 2, 3, 4))


def test_pieces_of_a_visit_share_it_but_not_the_crops() -> None:
    one = AppearanceModel(seed=3).crops(1, 2, 3, 4, piece=0)
    two = AppearanceModel(seed=3).crops(1, 2, 3, 4, piece=1)
    assert (one @ two.T).mean() > (SAME_PERSON + SAME_VISIT) / 2
    assert not np.allclose(one, two)


def test_mean_cosines_match_the_measured_ones() -> None:
    here, there = first_crops(0, 0), first_crops(1, PEOPLE)
    others = ~np.eye(PEOPLE, dtype=bool)
    cross, within = here[:, 0] @ there[:, 0].T, here[:, 0] @ here[:, 0].T
    assert cross[others].mean() == pytest.approx(IMPOSTORS, abs=0.03)
    assert within[others].mean() == pytest.approx(IMPOSTORS_SAME_CAMERA, abs=0.04)
    assert np.diag(cross).mean() == pytest.approx(SAME_PERSON, abs=0.03)
    same_visit = (here[:, 0] * here[:, 1]).sum(axis=1)
    assert same_visit.mean() == pytest.approx(SAME_VISIT, abs=0.03)


def test_standard_deviations_match_the_measured_ones() -> None:
    cross = first_crops(0, 0)[:, 0] @ first_crops(1, PEOPLE)[:, 0].T
    assert cross[~np.eye(PEOPLE, dtype=bool)].std() == pytest.approx(0.090, abs=0.02)
    assert np.diag(cross).std() == pytest.approx(0.116, abs=0.02)
