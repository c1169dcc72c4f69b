from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.thumbnails import Thumbnails


def grey(value: int, height: int = 60, width: int = 20) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def thumbnails(tmp_path: Path) -> Thumbnails:
    return Thumbnails(tmp_path / "thumbnails", "gate")


def test_the_best_one_is_written_when_asked_and_no_sooner(
    thumbnails: Thumbnails, tmp_path: Path
) -> None:
    for quality, value in ((0.3, 30), (0.9, 90), (0.9, 200), (0.5, 50)):
        thumbnails.offer(7, quality, grey(value))
    thumbnails.offer(8, 1.0, grey(255))
    assert list(tmp_path.iterdir()) == []
    assert thumbnails.write(7) == "thumbnails/gate/7.jpg"
    picture = cv2.imread(str(tmp_path / "thumbnails" / "gate" / "7.jpg"))
    assert picture.shape == (60, 20, 3)
    np.testing.assert_allclose(picture, 90, atol=2)
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["7.jpg"]


def test_a_written_one_is_forgotten(thumbnails: Thumbnails) -> None:
    thumbnails.offer(7, 0.5, grey(30))
    assert thumbnails.write(7) is not None
    assert thumbnails.write(7) is None


def test_a_track_without_a_crop_has_none(thumbnails: Thumbnails, tmp_path: Path) -> None:
    assert thumbnails.write(1) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((192, 80), (192, 80)),
        ((193, 80), (192, 80)),
        ((600, 200), (192, 64)),
        ((2000, 3), (192, 1)),
    ],
)
def test_tall_ones_shrink(
    thumbnails: Thumbnails, tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    thumbnails.offer(1, 0.5, grey(30, *size))
    name = thumbnails.write(1)
    assert name is not None
    assert cv2.imread(str(tmp_path / name)).shape[:2] == expected


def test_a_place_that_cannot_be_written_is_named(thumbnails: Thumbnails, tmp_path: Path) -> None:
    (tmp_path / "thumbnails").touch()
    thumbnails.offer(1, 0.5, grey(30))
    with pytest.raises(UserError, match=r"cannot write the thumbnail .*gate/1\.jpg"):
        thumbnails.write(1)
