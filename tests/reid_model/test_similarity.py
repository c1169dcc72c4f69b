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


def test_before_other_cameras_people_are_more_alike_than_in_the_fit() -> None:
    pictures, people = many()
    found = fit_similarity(pictures, people)
    assert found.other_cameras is not None
    pairs = [(a, b) for a in range(400) for b in range(a) if people[a].camera != people[b].camera]
    cosines = np.array([pictures[a] @ pictures[b] for a, b in pairs], np.float32)
    one_person = np.array([people[a].identity == people[b].identity for a, b in pairs])
    bare = fit_line(cosines[one_person], cosines[~one_person])
    assert found.other_cameras.slope == pytest.approx(bare.slope, abs=0.1)
    assert found.other_cameras.midpoint == pytest.approx(bare.midpoint + 0.03, abs=0.002)


def many() -> tuple[np.ndarray, list[ReidImage]]:
    """40 people, 10 pictures each by three cameras."""
    random = np.random.default_rng(3)
    angles = np.repeat(random.uniform(0, 360, 40), 10) + random.normal(0, 15, 400)
    people = [(n // 10, int(random.integers(3)), "a") for n in range(400)]
    return vectors(*angles), images(*people)


@pytest.mark.parametrize("block", [1, 7, 400, 401])
def test_it_does_not_matter_how_many_are_compared_at_once(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_similarity(*many())
    monkeypatch.setattr("reid_model.similarity._BLOCK", block)
    assert fit_similarity(*many()) == whole


def test_every_so_many_strangers_say_as_much_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_similarity(*many())
    monkeypatch.setattr("reid_model.similarity._STRANGERS", 4_000)
    some = fit_similarity(*many())
    assert some != whole
    for one, other in (
        (some.same_camera, whole.same_camera),
        (some.other_cameras, whole.other_cameras),
    ):
        assert one is not None
        assert other is not None
        assert one.slope == pytest.approx(other.slope, rel=0.1)
        assert one.midpoint == pytest.approx(other.midpoint, abs=0.02)
    assert some.strangers == pytest.approx(whole.strangers, abs=0.05)
