"""What cosines are worth, on hand-made vectors."""

from pathlib import Path

import numpy as np
import pytest

from reid_model.data.reid_set import ReidImage
from reid_model.similarity import SimilarityFit, fit_line, fit_similarity


def test_the_midpoint_lies_between_and_clearer_cosines_are_steeper() -> None:
    random = np.random.default_rng(0)
    same = random.normal(0.8, 0.1, 500).astype(np.float32)
    strangers = random.normal(0.4, 0.1, 2000).astype(np.float32)
    line = fit_line(same, strangers)
    assert line.midpoint == pytest.approx(0.6, abs=0.02)
    # Two normal distributions of one width have the log-odds (0.8 - 0.4) / 0.1^2 per cosine.
    assert line.slope == pytest.approx(40, rel=0.15)


def images(*people: tuple[int, int, str]) -> list[ReidImage]:
    return [
        ReidImage(Path(folder) / f"{n}.png", identity, camera)
        for n, (identity, camera, folder) in enumerate(people)
    ]


def vectors(*angles: float) -> np.ndarray:
    degrees = np.radians(angles)
    return np.stack([np.cos(degrees), np.sin(degrees)], axis=1).astype(np.float32)


def test_pairs_are_sorted_by_cameras_and_stay_in_their_folder() -> None:
    people = images((1, 1, "a"), (1, 1, "a"), (1, 2, "a"), (2, 1, "a"), (2, 2, "a"), (3, 3, "b"))
    found = fit_similarity(vectors(0, 10, 20, 90, 80, 0), people)
    assert found.same_camera is not None
    assert found.other_cameras is not None
    # Strangers in two cameras: 1 and 2 at 80 and 70 degrees, 1 and 2 at 70.
    assert found.strangers == pytest.approx(np.cos(np.radians([80, 70, 70])).mean(), abs=1e-3)


def test_what_was_not_seen_is_not_guessed() -> None:
    assert fit_similarity(vectors(), []) == SimilarityFit(None, None, None)
    alone = images((1, 1, "a"), (2, 2, "a"))
    found = fit_similarity(vectors(0, 60), alone)
    assert found == SimilarityFit(None, None, 0.5)
