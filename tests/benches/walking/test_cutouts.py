"""People are cut out where the mask is clear; a fake network says what it saw."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from walking.cutouts import CROP_SIZE, Mask, Segment, one_person, placed, read_cutouts

SURE = np.array([0.9], np.float32)


def masks(*shapes: tuple[slice, slice]) -> NDArray[np.float32]:
    """One mask of 100 x 50 with these parts."""
    mask = np.zeros((1, 100, 50), np.float32)
    for shape in shapes:
        mask[0][shape] = 1
    return mask


TALL = np.s_[5:95, 15:35]


def test_nobody_was_found() -> None:
    assert not one_person(np.zeros((0, 100, 50), np.float32), np.zeros(0, np.float32)).any()


def test_a_hole_is_filled() -> None:
    mask = masks(TALL)
    mask[0, 40:50, 20:30] = 0
    found = one_person(mask, SURE)
    assert (found == 255).sum() == 90 * 20
    assert not found[:5].any()


@pytest.mark.parametrize(
    ("parts", "score"),
    [
        ([TALL], 0.59),
        ([np.s_[5:80, 15:35]], 0.9),  # no legs
        ([np.s_[5:95, 22:28]], 0.9),  # too thin
        ([np.s_[5:95, 2:48]], 0.9),  # nearly everything
        ([TALL, np.s_[10:60, 40:49]], 0.9),  # two pieces
    ],
)
def test_a_doubtful_mask_is_none(parts: list[tuple[slice, slice]], score: float) -> None:
    assert not one_person(masks(*parts), np.array([score], np.float32)).any()


def test_masks_are_kept(tmp_path: Path) -> None:
    """The second of two crops is doubtful; the network is asked once."""
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        cv2.imwrite(str(path), np.full((64, 32, 3), 90, np.uint8))
    asked = []

    def open_network() -> Segment:
        return segment

    def segment(images: Sequence[NDArray[np.uint8]]) -> list[Mask]:
        asked.append(len(images))
        width, height = CROP_SIZE
        person = np.zeros((height, width), np.uint8)
        person[10:250, 30:90] = 255
        return [person, np.zeros_like(person)]

    for _ in range(2):
        first, second = read_cutouts(paths, tmp_path / "kept", open_network)
        assert first is not None
        assert first.mask.shape == (240, 60)
        assert first.mask.all()
        assert first.image.shape == (240, 60, 3)
        assert second is None
    assert asked == [2]


def test_a_person_is_placed_at_a_height(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 32, 3), 90, np.uint8))

    def segment(images: Sequence[NDArray[np.uint8]]) -> list[Mask]:
        return [np.full(CROP_SIZE[::-1], 255, np.uint8)]

    (cutout,) = read_cutouts([tmp_path / "a.png"], tmp_path / "kept", lambda: segment)
    assert cutout is not None
    image, opaque, person = placed(cutout, 100)
    assert image.shape == (100, 50, 3)
    assert opaque.shape == person.shape == (100, 50)
    assert person.all()
    assert opaque.max() <= 1
