import numpy as np
import pytest

from trackers.ground.sides import FOOT, LYING, MIDDLE, TOP, uncertain_sides

SIZE = 640, 480


@pytest.mark.parametrize(
    ("box", "sides"),
    [
        ((100, 100, 150, 250), 0),
        ((100, 330, 150, 480), FOOT),
        ((100, 329, 150, 479), FOOT),
        ((100, 329, 150, 478.9), 0),
        ((100, 0, 150, 150), TOP),
        ((0, 100, 50, 250), MIDDLE),
        ((590, 100, 640, 250), MIDDLE),
        ((100, 300, 250, 400), LYING),
        # Exactly three quarters as wide as high.
        ((100, 300, 175, 400), 0),
        ((0, 0, 640, 480), FOOT + TOP + MIDDLE + LYING),
    ],
)
def test_sides_of_one_box(box: tuple[float, ...], sides: int) -> None:
    assert uncertain_sides(np.array([box], np.float32), SIZE).tolist() == [sides]


def test_where_the_size_is_unknown_no_border_cuts() -> None:
    boxes = np.array([[0, 0, 640, 480], [0, 0, 10, 480]], np.float32)
    assert uncertain_sides(boxes, None).tolist() == [LYING, 0]


def test_no_boxes_have_no_sides() -> None:
    assert uncertain_sides(np.zeros((0, 4), np.float32), SIZE).tolist() == []
