"""Which frames the detector sees, on pictures of squares on black."""

import numpy as np
import pytest

from pipeline.node.detection_rate import DetectionRate, Need, differ, small
from pipeline.node.prediction import Prediction
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from trackers.detections import Detections

SIZE = (180, 320)


def scene_at(left: int | None, grey: int = 0) -> BgrPicture:
    """A white square of 20 pixels at ``left``, or none."""
    image = np.full((*SIZE, 3), grey, np.uint8)
    if left is not None:
        image[80:100, left : left + 20] = 255
    return BgrPicture(image)


def needs(rate: DetectionRate, *steps: tuple[float, int | None]) -> list[Need]:
    return [rate.need(Frame("a", i, time, scene_at(left))) for i, (time, left) in enumerate(steps)]


D, S, B = Need.DETECT, Need.SAME, Need.BETWEEN


def test_a_still_scene_is_detected_once() -> None:
    steps = [(1 + i / 10, 50) for i in range(4)]
    assert needs(DetectionRate(10.0), *steps) == [D, S, S, S]


def test_what_moves_is_detected_as_often_as_wanted() -> None:
    steps = [(1 + i / 20, 50 + 5 * i) for i in range(5)]
    assert needs(DetectionRate(10.0), *steps) == [D, B, D, B, D]
    assert needs(DetectionRate(20.0), *steps) == [D] * 5
    # A frame that is late is not left out.
    assert needs(DetectionRate(3.0), *steps) == [D, B, B, B, B]


def test_nobody_goes_unnoticed_who_comes_and_goes() -> None:
    steps = [(1.0, None), (1.1, None), (1.2, 30), (1.3, 30), (1.4, None), (1.5, None)]
    assert needs(DetectionRate(10.0), *steps) == [D, S, D, S, D, S]


def test_it_compares_with_the_last_frame_that_was_detected() -> None:
    """A pixel a frame is no movement, until several have come together."""
    rate, pictures = DetectionRate(10.0), [scene_at(None, grey) for grey in (0, 6, 12, 13, 14)]
    found_needs = [rate.need(Frame("a", i, i / 10, p)) for i, p in enumerate(pictures)]
    assert found_needs == [D, S, S, D, S]


def test_a_still_scene_is_looked_at_again_after_ten_seconds() -> None:
    assert needs(DetectionRate(10.0), (0.0, 5), (9.9, 5), (10.0, 5), (19.9, 5)) == [D, S, D, S]


def test_cameras_are_apart_and_may_begin_again() -> None:
    rate = DetectionRate(10.0)
    frames = [Frame(camera_id, 0, 5.0, scene_at(5)) for camera_id in "ab"]
    assert [rate.need(frame) for frame in frames] == [D, D]
    assert rate.need(Frame("a", 1, 0.0, scene_at(5))) is B
    rate.remove("a")
    rate.remove("c")
    assert rate.need(Frame("a", 0, 0.0, scene_at(5))) is D


def test_pictures_of_different_sizes_differ() -> None:
    one, other = small(scene_at(5)), small(BgrPicture(np.zeros((90, 160, 3), np.uint8)))
    assert not differ(one, one)
    assert differ(one, other)


def test_noise_is_no_movement() -> None:
    rng = np.random.default_rng(0)
    one, other = (
        small(BgrPicture(np.clip(rng.normal(120, 6, (*SIZE, 3)), 0, 255).astype(np.uint8)))
        for _ in range(2)
    )
    assert not differ(one, other)


def tracked(*lefts: float, ids: list[int] | None = None) -> Detections:
    boxes = np.array([[left, 20, left + 40, 140] for left in lefts], np.float32).reshape(-1, 4)
    named = np.array(ids if ids is not None else range(1, len(lefts) + 1), np.int64)
    return Detections(boxes, np.full(len(boxes), 0.9, np.float32), named)


def test_boxes_move_on_at_half_their_first_speed_and_then_at_it() -> None:
    prediction = Prediction()
    assert len(prediction.at(1.0, SIZE)) == 0
    for step in range(8):
        prediction.update(tracked(10.0 + 10 * step), step / 10)
    (box,) = prediction.at(0.75, SIZE).boxes
    assert box == pytest.approx([85, 20, 125, 140], abs=0.1)
    fresh = Prediction()
    fresh.update(tracked(10.0), 0.0)
    assert fresh.at(0.1, SIZE).boxes[0, 0] == 10.0
    fresh.update(tracked(20.0, 100.0), 0.1)
    assert fresh.at(0.2, SIZE).boxes[:, 0] == pytest.approx([25, 100])


def test_boxes_end_at_the_border_and_people_who_left_are_gone() -> None:
    prediction = Prediction()
    for step in range(6):
        prediction.update(tracked(200.0 + 20 * step, 100.0), step / 10)
    shown = prediction.at(0.55, SIZE)
    assert shown.boxes[0, 2] == 320
    assert len(prediction.at(0.9, SIZE)) == 1
    assert len(prediction.at(1.1, SIZE)) == 0
    # Without a known size nothing is cut.
    assert len(prediction.at(0.9, (0, 0))) == 2


def test_speed_is_that_of_one_track_and_of_no_long_gap() -> None:
    prediction = Prediction()
    prediction.update(tracked(10.0, ids=[1]), 0.0)
    prediction.update(tracked(90.0, ids=[2]), 0.1)
    assert prediction.at(0.2, SIZE).boxes[0, 0] == 90.0
    prediction.update(tracked(50.0, ids=[2]), 0.7)
    assert prediction.at(0.8, SIZE).boxes[0, 0] == 50.0
    prediction.update(tracked(), 0.8)
    assert len(prediction.at(0.8, SIZE)) == 0
