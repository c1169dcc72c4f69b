import numpy as np
import pytest

from trackers.detections import areas, footpoints, intersections, iou


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_iou_of_equal_half_overlapping_touching_and_distant_boxes() -> None:
    one = boxes((0, 0, 10, 10))
    others = boxes((0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (50, 50, 60, 60))

    assert iou(one, others)[0] == pytest.approx([1, 50 / 150, 0, 0])


def test_iou_is_symmetric_and_agrees_with_torchvision() -> None:
    from torch import tensor
    from torchvision.ops import box_iou

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (2, 7, 2))
    sizes = rng.uniform(1, 30, (2, 7, 2))
    a, b = np.concatenate([corners, corners + sizes], axis=2).astype(np.float32)

    assert iou(a, b) == pytest.approx(box_iou(tensor(a), tensor(b)).numpy(), abs=1e-6)
    assert iou(a, b).T == pytest.approx(iou(b, a))


def test_no_boxes() -> None:
    none, one = boxes(), boxes((0, 0, 1, 1))

    assert iou(none, one).shape == (0, 1)
    assert iou(one, none).shape == (1, 0)
    assert areas(none).shape == (0,)
    assert footpoints(none).shape == (0, 2)


def test_areas_and_intersections() -> None:
    a = boxes((0, 0, 4, 3), (2, 1, 4, 9))

    assert areas(a).tolist() == [12, 16]
    assert intersections(a, a).tolist() == [[12, 4], [4, 16]]


def test_the_footpoint_is_the_middle_of_the_lower_edge() -> None:
    assert footpoints(boxes((10, 20, 30, 80))).tolist() == [[20, 80]]
