from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.node.crops import Thumbnails

NO_BOXES = np.zeros((0, 4), np.float32)


def grey(value: int, height: int = 60, width: int = 20) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def thumbnails(tmp_path: Path) -> Thumbnails:
    return Thumbnails(tmp_path / "thumbnails", "gate")


def test_the_best_crop_is_written_only_on_request(thumbnails: Thumbnails, tmp_path: Path) -> None:
    for quality, value in ((0.3, 30), (0.9, 90), (0.9, 200), (0.5, 50)):
        thumbnails.add(7, quality, grey(value), NO_BOXES)
    thumbnails.add(8, 1.0, grey(255), NO_BOXES)
    assert list(tmp_path.iterdir()) == []
    assert thumbnails.write(7) == "thumbnails/gate/7.jpg"
    picture = cv2.imread(str(tmp_path / "thumbnails" / "gate" / "7.jpg"))
    assert picture.shape == (60, 20, 3)
    np.testing.assert_allclose(picture, 90, atol=2)
    (path,) = tmp_path.rglob("*.jpg")
    assert (path.name, path.stat().st_mode & 0o777) == ("7.jpg", 0o600)


def test_a_written_thumbnail_is_dropped_from_memory(thumbnails: Thumbnails) -> None:
    thumbnails.add(7, 0.5, grey(30), NO_BOXES)
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
def test_tall_thumbnails_are_shrunk(
    thumbnails: Thumbnails, tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    thumbnails.add(1, 0.5, grey(30, *size), NO_BOXES)
    name = thumbnails.write(1)
    assert name is not None
    assert cv2.imread(str(tmp_path / name)).shape[:2] == expected


def test_a_folder_that_cannot_be_written_is_named(thumbnails: Thumbnails, tmp_path: Path) -> None:
    (tmp_path / "thumbnails").touch()
    thumbnails.add(1, 0.5, grey(30), NO_BOXES)
    with pytest.raises(UserError, match=r"cannot write the thumbnail .*gate/1\.jpg"):
        thumbnails.write(1)


def test_thumbnails_of_earlier_nodes_are_kept(tmp_path: Path) -> None:
    for after in (0, 3):
        thumbnails = Thumbnails(tmp_path / "thumbnails", "gate", after=after)
        thumbnails.add(1, 0.5, grey(90), NO_BOXES)
        assert thumbnails.write(1) == f"thumbnails/gate/{after + 1}.jpg"
    assert len(list(tmp_path.rglob("*.jpg"))) == 2


def test_all_people_in_a_thumbnail_are_blurred_on_request(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    image = np.repeat(np.repeat(rng.integers(0, 256, (40, 20, 3), np.uint8), 3, 0), 3, 1)
    people = np.array([[0, 0, 30, 120], [30, 0, 60, 60]], np.float32)
    pictures = {}
    for how in ("none", "faces", "bodies"):
        thumbnails = Thumbnails(tmp_path / how, "gate", how)
        thumbnails.add(1, 0.5, image, people)
        thumbnails.write(1)
        pictures[how] = cv2.imread(str(tmp_path / how / "gate" / "1.jpg")).astype(float)
    sharp = pictures["none"]

    def likeness(how: str, rows: slice, columns: slice) -> float:
        pair = sharp[rows, columns].ravel(), pictures[how][rows, columns].ravel()
        return float(np.corrcoef(*pair)[0, 1])

    left, right = slice(0, 30), slice(30, 60)
    # Both the tracked person and the person next to them.
    assert likeness("faces", slice(0, 30), left) < 0.5
    assert likeness("faces", slice(0, 20), right) < 0.5
    assert likeness("faces", slice(60, 120), left) > 0.95
    assert likeness("bodies", slice(0, 120), left) < 0.5


def test_a_link_in_the_place_of_a_thumbnail_is_not_followed(
    thumbnails: Thumbnails, tmp_path: Path
) -> None:
    folder = tmp_path / "thumbnails" / "gate"
    folder.mkdir(parents=True)
    (tmp_path / "other").touch()
    (folder / "7.jpg").symlink_to(tmp_path / "other")
    thumbnails.add(7, 0.5, grey(30), NO_BOXES)
    thumbnails.write(7)
    assert (tmp_path / "other").read_bytes() == b""
    assert not (folder / "7.jpg").is_symlink()


def test_no_thumbnail_is_written_outside_the_run(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "run" / "thumbnails").mkdir(parents=True)
    (tmp_path / "run" / "thumbnails" / "gate").symlink_to(tmp_path / "other")
    thumbnails = Thumbnails(tmp_path / "run" / "thumbnails", "gate")
    thumbnails.add(7, 0.5, grey(30), NO_BOXES)
    with pytest.raises(UserError, match="is not inside it"):
        thumbnails.write(7)
