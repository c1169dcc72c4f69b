"""Backgrounds are parts of one picture."""

from pathlib import Path

import numpy as np
import pytest

from walking.plates import PLATES, SIZE, part_of, plates


def test_a_part_is_mirrored_and_brighter() -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    image[:, :320] = 100
    same = part_of(image, 0.0, 0.0, 1.0, mirrored=False, bright=1.0)
    other = part_of(image, 0.0, 0.0, 1.0, mirrored=True, bright=1.5)
    assert same.shape == other.shape == (SIZE[1], SIZE[0], 3)
    assert (same[0, 0] == 100).all()
    assert (other[0, 0] == 0).all()
    assert (other[0, -1] == 150).all()


def test_too_many_cameras() -> None:
    with pytest.raises(ValueError, match=f"for {PLATES} cameras, not for {PLATES + 1}"):
        plates(Path(), PLATES + 1)


def test_no_recording(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot read"):
        plates(tmp_path, 1)
