"""Composed pictures: a red person before grey, whose every pixel can be told by colour."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_model.data.composed_pictures import (
    ComposedPictures,
    LabelledPictures,
    Shares,
    any_background,
    composed,
)
from reid_model.data.composition import (
    as_filmed,
    before,
    behind_person,
    behind_thing,
    boxed,
    emptied,
    noise,
    opacity,
    part_of_plate,
)
from reid_model.data.labelled_picture import HEIGHT, WIDTH, LabelledPicture, labelled, part_map
from reid_model.data.person_masks import BACKGROUND, PERSON, SIZE, UNKNOWN, PersonMasks

RED, BLUE, GREY = (0, 0, 255), (255, 0, 0), (128, 128, 128)
ROWS, COLUMNS = slice(20, 240), slice(30, 98)


def joints(visible: float = 1.0) -> np.ndarray:
    """Standing upright in the middle of the picture."""
    places = {0: 0.14, 7: 0.14, 8: 0.14, 11: 0.22, 12: 0.22, 13: 0.35, 14: 0.35, 15: 0.48, 16: 0.48}
    places |= {23: 0.5, 24: 0.5, 25: 0.7, 26: 0.7, 27: 0.88, 28: 0.88, 29: 0.92, 30: 0.92}
    places |= {31: 0.93, 32: 0.93}
    found = np.zeros((33, 3), np.float32)
    for joint, y in places.items():
        found[joint] = 0.45 if joint % 2 else 0.55, y, visible
    return found


def picture(colour: tuple[int, int, int] = RED) -> LabelledPicture:
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    image[ROWS, COLUMNS] = colour
    mask = np.zeros((HEIGHT, WIDTH), np.int8)
    mask[ROWS, COLUMNS] = PERSON
    return LabelledPicture(image, mask, part_map(mask, joints()))


def is_colour(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(image.astype(int) - colour).max(axis=2) < 60


def same(one: np.ndarray, other: np.ndarray) -> float:
    return float((one == other).mean())


def test_parts_follow_each_other_from_above() -> None:
    parts = picture().parts
    column = parts[:, 64]
    inside = column[column > 0]
    assert inside.tolist() == sorted(inside.tolist())
    assert set(inside.tolist()) == {1, 2, 3, 4}
    assert (parts[picture().mask == BACKGROUND] == 0).all()


def test_parts_beside_joints_that_are_not_seen_are_not_known() -> None:
    mask = picture().mask
    assert (part_map(mask, joints(0.1))[mask == PERSON] == UNKNOWN).all()


def test_nobody_has_no_parts() -> None:
    assert not part_map(np.zeros((HEIGHT, WIDTH), np.int8), joints()).any()


def test_a_crop_of_any_size_is_labelled() -> None:
    mask = np.zeros(SIZE, np.int8)
    mask[10:120, 15:49] = PERSON
    found = labelled(np.zeros((128, 64, 3), np.uint8), mask, joints())
    assert found.image.shape == (HEIGHT, WIDTH, 3)
    assert found.mask.sum() == 4 * mask.sum()


def test_visibilities_are_shares_of_what_is_seen() -> None:
    assert picture().visibilities().sum() == pytest.approx(1)


def test_what_may_be_background_is_cut_back() -> None:
    mask = picture().mask.copy()
    mask[ROWS, 96:100] = UNKNOWN
    mask[100:140, 60:70] = UNKNOWN
    share = opacity(mask)
    assert share[120, 65] > 0.9
    assert share[120, 99] < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_before_another_background_the_mask_is_the_person(seed: int) -> None:
    blue = np.full((HEIGHT, WIDTH, 3), BLUE, np.uint8)
    found = before(picture(), blue, np.random.default_rng(seed))
    assert same(is_colour(found.image, RED), found.mask == PERSON) > 0.98
    assert not is_colour(found.image, GREY).any()
    assert ((found.parts == 0) == (found.mask == BACKGROUND)).all()


@pytest.mark.parametrize("seed", range(5))
def test_another_box_moves_mask_and_picture_together(seed: int) -> None:
    found = boxed(picture(), np.random.default_rng(seed))
    known = found.mask != UNKNOWN
    assert same(is_colour(found.image, RED)[known], (found.mask == PERSON)[known]) > 0.97


@pytest.mark.parametrize("seed", range(5))
def test_somebody_before_a_person_is_no_longer_the_person(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = behind_person(picture(), picture(BLUE), rng)
    hidden = 1 - (found.mask == PERSON).sum() / (picture().mask == PERSON).sum()
    assert hidden == 0 or 0.15 <= hidden <= 0.7
    assert same(is_colour(found.image, RED), found.mask == PERSON) > 0.98


def test_something_before_a_person_is_no_longer_the_person() -> None:
    surface = np.full((HEIGHT, WIDTH, 3), BLUE, np.uint8)
    rng = np.random.default_rng(0)
    some = [behind_thing(picture(), surface, rng) for _ in range(20)]
    assert all(same(is_colour(one.image, RED), one.mask == PERSON) > 0.97 for one in some)
    assert sum(one.mask.sum() < picture().mask.sum() for one in some) > 10


def test_filming_moves_nothing() -> None:
    found = as_filmed(picture(), np.random.default_rng(0))
    assert (found.mask == picture().mask).all()
    assert found.image.shape == (HEIGHT, WIDTH, 3)


def test_an_emptied_picture_has_nothing_of_the_person() -> None:
    assert not is_colour(emptied(picture()), RED).any()


def test_a_piece_of_a_plate_of_any_size() -> None:
    rng = np.random.default_rng(0)
    for size in ((540, 960), (960, 100), (20, 10)):
        assert part_of_plate(np.full((*size, 3), 99, np.uint8), rng).shape == (HEIGHT, WIDTH, 3)
    assert noise(rng).shape == (HEIGHT, WIDTH, 3)


@pytest.fixture
def pictures(tmp_path: Path) -> LabelledPictures:
    for name, colour in (("a.png", RED), ("b.png", BLUE)):
        cv2.imwrite(str(tmp_path / name), picture(colour).image)
    mask = picture().mask[::2, ::2]
    return LabelledPictures(
        tmp_path,
        PersonMasks(
            ("a.png", "b.png", "missing.png"),
            np.stack([mask] * 3),
            np.array([0.9, 0.9, 0.2], np.float32),
            np.stack([joints()] * 3),
        ),
    )


def test_pictures_that_are_not_believed_are_not_drawn(pictures: LabelledPictures) -> None:
    rng = np.random.default_rng(0)
    assert list(pictures.rows) == ["a.png", "b.png"]
    for _ in range(20):
        assert pictures.any_of(rng).image.any()
        assert any_background(pictures, (), rng).shape == (HEIGHT, WIDTH, 3)


def test_a_picture_that_is_missing_is_named(pictures: LabelledPictures) -> None:
    with pytest.raises(ValueError, match=r"missing\.png cannot be read"):
        pictures[2]


def test_with_no_change_asked_only_the_box_is_another(pictures: LabelledPictures) -> None:
    shares = Shares(other_background=0, behind=0, filmed=0)
    found = composed(pictures[0], pictures, (), shares, np.random.default_rng(4))
    assert is_colour(found.image, GREY).any()


def test_composed_again_it_is_the_same(pictures: LabelledPictures) -> None:
    plate = np.full((300, 300, 3), 200, np.uint8)
    first, again, other = (
        ComposedPictures([0, 1], pictures, [plate], seed)[1] for seed in (1, 1, 2)
    )
    assert first.shape == (3, HEIGHT, WIDTH)
    assert (first == again).all()
    assert not (first == other).all()
