"""Suppression against that of ultralytics, on made outputs."""

import numpy as np
import pytest
import torch

from pipeline.detector.suppression import suppress
from pipeline.detector.yolo import Traits, ultralytics_module


def output(boxes: int, classes: int, extra: int, seed: int) -> np.ndarray:
    """Boxes of which many overlap: ``(1, 4 + classes + extra, boxes)``."""
    random = np.random.default_rng(seed)
    parts = [random.random((2, boxes)) * 100, random.random((2, boxes)) * 40 + 1]
    rest = random.random((classes + extra, boxes))
    return np.vstack([*parts, rest]).astype(np.float32)[None]


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("boxes", [1, 50, 900])
@pytest.mark.parametrize("min_score", [0.1, 0.6, 1.0])
def test_it_keeps_what_ultralytics_keeps(boxes: int, classes: int, min_score: float) -> None:
    made = output(boxes, classes, extra=2, seed=boxes)
    expected = ultralytics_module("utils.nms").non_max_suppression(
        torch.from_numpy(made.copy()), min_score, 0.7, classes=[0], nc=classes
    )[0]
    traits = Traits(person=0, classes=classes, stride=32, end_to_end=False)
    found = suppress(made, traits, min_score)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected[:, :5].numpy(), atol=1e-4)
    assert boxes == 1 or (len(found) > 0) == (min_score < 1.0)


def test_an_end_to_end_output_is_only_filtered() -> None:
    rows = [[1, 2, 3, 4, 0.9, 5], [1, 2, 3, 5, 0.8, 0], [1, 2, 3, 4, 0.7, 5], [0, 0, 1, 1, 0.5, 5]]
    traits = Traits(person=5, classes=80, stride=32, end_to_end=True)
    found = suppress(np.array([rows], np.float32), traits, 0.5)
    np.testing.assert_allclose(found, [rows[0][:5], rows[2][:5]])


def test_a_score_at_the_limit_is_not_enough() -> None:
    made = output(1, classes=1, extra=0, seed=0)
    made[0, 4] = 0.5
    traits = Traits(person=0, classes=1, stride=32, end_to_end=False)
    assert len(suppress(made, traits, 0.5)) == 0
    assert len(suppress(made, traits, 0.49)) == 1
