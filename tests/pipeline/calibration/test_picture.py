"""The ground grid on a camera's picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.calibration.fit import PointPairs
from pipeline.calibration.picture import (
    GIVEN,
    GRID,
    PROJECTED,
    check_suffix,
    draw_ground,
    first_picture,
    write_picture,
)
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from videos import make_video, read_index

#: Straight down, 40 pixels a metre, (0, 0) in the middle of 320 x 240 pixels, y up.
DOWN = np.array([[40.0, 0.0, 160.0], [0.0, -40.0, 120.0], [0.0, 0.0, 1.0]])
BLACK = np.zeros((240, 320, 3), np.uint8)


def test_lines_are_drawn_at_whole_metres_only() -> None:
    drawn = draw_ground(BLACK, DOWN, None)
    # Beside the labels, which stand at the left and at the bottom.
    for x in range(80, 320, 40):
        assert (drawn[60, x] == GRID).all()
    for y in range(40, 200, 40):
        assert (drawn[y, 180] == GRID).all()
    for x, y in ((100, 60), (180, 60), (260, 140)):
        assert not drawn[y - 10 : y + 10, x - 10 : x + 10].any()


def test_the_lines_are_labelled() -> None:
    drawn = draw_ground(BLACK, DOWN, None)
    # Only labels are white.
    assert (drawn == 255).all(axis=2).any()
    assert not BLACK.any()


def test_a_circle_for_the_given_and_a_cross_for_the_projected_point() -> None:
    pairs = PointPairs(np.array([[100.0, 100.0]]), np.array([[1.0, 1.0]]))
    drawn = draw_ground(BLACK, DOWN, pairs)
    assert (drawn[100, 93] == GIVEN).all()
    assert (drawn[80, 200] == PROJECTED).all()


def test_nothing_is_drawn_above_the_horizon() -> None:
    level = np.array([[80.0, 160.0, 0.0], [0.0, 100.0, 400.0], [0.0, 1.0, 0.0]])
    drawn = draw_ground(BLACK, level, None)
    assert not drawn[:95].any()
    assert (drawn[110:] == GRID).all(axis=2).any()


def test_a_picture_of_the_sky_is_refused() -> None:
    sky = np.array([[80.0, 160.0, 0.0], [0.0, 900.0, 400.0], [0.0, 1.0, 0.0]])
    with pytest.raises(UserError, match="no ground"):
        draw_ground(BLACK, sky, None)


def test_the_first_frame_of_a_video_is_taken(tmp_path: Path) -> None:
    video = make_video(tmp_path / "gate.mp4", frames=5)
    image = first_picture("gate", CameraConfig(source=str(video)))
    assert image.shape == (48, 64, 3)
    assert read_index(image) == 0


def test_a_picture_is_written_atomically(tmp_path: Path) -> None:
    image = draw_ground(BLACK, DOWN, None)
    write_picture(tmp_path / "grid.png", image)
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "grid.png")), image)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        write_picture(tmp_path / "missing" / "grid.png", BLACK)
    with pytest.raises(UserError, match="must end with"):
        check_suffix(tmp_path / "grid.txt")
