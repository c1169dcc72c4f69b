from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reid_model.data.person_masks import (
    BACKGROUND,
    LEAST_OVERLAP,
    PERSON,
    SIZE,
    UNKNOWN,
    PersonMasks,
    agreed,
    joined_masks,
    read_masks,
    resized,
    save_masks,
)


def box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SIZE, np.bool_)
    mask[rows, columns] = True
    return mask


def masks(*names: str, overlap: float = 0.9) -> PersonMasks:
    mask, _ = agreed(*[box(slice(20, 100), slice(16, 48))] * 2)
    return PersonMasks(
        names,
        np.stack([mask] * len(names)),
        np.full(len(names), overlap, np.float32),
        np.full((len(names), 33, 3), 0.5, np.float32),
    )


def test_what_only_one_network_sees_is_not_known() -> None:
    mask, overlap = agreed(box(slice(0, 60), slice(10, 20)), box(slice(20, 80), slice(10, 20)))
    assert overlap == 0.5
    assert (mask[20:60, 10:20] == PERSON).all()
    assert (mask[:20, 10:20] == UNKNOWN).all()
    assert (mask[60:80, 10:20] == UNKNOWN).all()
    assert (mask[:, 20:] == BACKGROUND).all()


def test_two_empty_masks_do_not_agree() -> None:
    assert agreed(box(slice(0), slice(0)), box(slice(0), slice(0)))[1] == 0


def test_a_mask_of_another_size() -> None:
    large = np.zeros((256, 128), np.float32)
    large[100:200, 20:60] = 1
    assert (resized(large) == box(slice(50, 100), slice(10, 30))).all()


@pytest.mark.parametrize(
    ("overlap", "trusted"), [(LEAST_OVERLAP, True), (LEAST_OVERLAP - 0.01, False)]
)
def test_networks_that_differ_are_not_believed(overlap: float, trusted: bool) -> None:
    assert masks("a", overlap=overlap).trusted.tolist() == [trusted]


@pytest.mark.parametrize("rows", [slice(0, 10), slice(0, 128)])
def test_hardly_anything_or_everything_is_not_believed(rows: slice) -> None:
    mask, _ = agreed(*[box(rows, slice(0, 64))] * 2)
    assert not replace(masks("a"), masks=mask[None]).trusted.any()


def test_rows_are_those_of_trusted_pictures() -> None:
    found = joined_masks([masks("a", "b", overlap=0.1), masks("c")])
    assert found.rows() == {"c": 2}


def test_some_of_them() -> None:
    found = joined_masks([masks("a", "b", overlap=0.1), masks("c")]).only([False, True, True])
    assert found.names == ("b", "c")
    assert found.rows() == {"c": 1}
    assert found.only([False, False]).masks.shape == (0, *SIZE)


def test_the_last_of_a_picture_stays() -> None:
    found = joined_masks([masks("a", "b", overlap=0.1), masks("a")])
    assert found.names == ("a", "b")
    assert found.overlaps.tolist() == pytest.approx([0.9, 0.1])


def test_nothing_joined_is_nothing() -> None:
    found = joined_masks([])
    assert found.masks.shape == (0, *SIZE)
    assert found.joints.shape == (0, 33, 3)
    assert found.rows() == {}


def test_saved_and_read(tmp_path: Path) -> None:
    found = masks("reid/a.jpg", "reid/b.jpg")
    save_masks(tmp_path / "masks.npz", found)
    again = read_masks(tmp_path / "masks.npz")
    assert again.names == found.names
    assert (again.masks == found.masks).all()
    assert again.joints.dtype == np.float32
