"""What cosines of sets of crops are worth, on hand-made vectors."""

from pathlib import Path

import numpy as np
import pytest

from reid_model.data.reid_set import ReidImage
from reid_model.similarity import fit_similarity

DIMENSION = 64


def images(*people: tuple[int, int, str]) -> list[ReidImage]:
    return [
        ReidImage(Path(folder) / f"{n}.png", identity, camera)
        for n, (identity, camera, folder) in enumerate(people)
    ]


def many(
    people: int = 60, visit: float = 0.3, crop: float = 0.4, common: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, list[ReidImage]]:
    """People in two cameras, four pictures each; the variances as a fit tells them."""
    random = np.random.default_rng(seed)

    def drawn(variance: float, rows: int) -> np.ndarray:
        return random.normal(0, np.sqrt(variance / DIMENSION), (rows, DIMENSION))

    shared = drawn(common / (1 - common) * (1 + crop), 1)
    persons = np.repeat(drawn(1 - visit, people), 8, axis=0)
    visits = np.repeat(drawn(visit, 2 * people), 4, axis=0)
    vectors = shared + persons + visits + drawn(crop, 8 * people)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pictures = images(*((n // 8, n // 4 % 2, "a") for n in range(8 * people)))
    return vectors.astype(np.float32), pictures


def test_the_variances_are_found_again() -> None:
    fit = fit_similarity(*many(people=200))
    assert fit is not None
    assert fit.visit == pytest.approx(0.3, abs=0.05)
    assert fit.crop == pytest.approx(0.4, abs=0.05)
    assert fit.common == pytest.approx(0.0, abs=0.02)
    assert fit.spread == pytest.approx(1 / np.sqrt(DIMENSION), abs=0.02)
    assert 0.2 < fit.midpoint < 0.6


def test_what_people_have_in_common_is_told_and_moves_nothing_else() -> None:
    bare, shifted = fit_similarity(*many()), fit_similarity(*many(common=0.5))
    assert bare is not None
    assert shifted is not None
    assert shifted.common == pytest.approx(0.55, abs=0.08)
    assert shifted.midpoint == pytest.approx(bare.midpoint, abs=0.05)


def test_folders_are_not_compared_with_one_another() -> None:
    vectors, pictures = many(people=20)
    others, more = many(people=20, common=0.5, seed=1)
    elsewhere = [ReidImage(Path("b") / one.path.name, one.identity, one.camera) for one in more]
    both = fit_similarity(np.concatenate([vectors, others]), [*pictures, *elsewhere])
    apart = [fit_similarity(vectors, pictures), fit_similarity(others, more)]
    assert both is not None
    assert both.common == pytest.approx(np.mean([one.common for one in apart if one]), abs=1e-3)


def test_where_nobody_was_seen_twice_there_is_no_fit() -> None:
    nobody = np.zeros((0, 2), np.float32)
    assert fit_similarity(nobody, []) is None
    alone = images((1, 1, "a"), (2, 2, "a"))
    assert fit_similarity(np.eye(2, dtype=np.float32), alone) is None
    once = images((1, 1, "a"), (1, 2, "a"), (2, 2, "a"))
    assert fit_similarity(np.eye(3, dtype=np.float32), once) is None
