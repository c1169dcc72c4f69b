"""Blurring of people in frames in which the detector missed them."""

import numpy as np
import polars as pl

from pipeline.pictures.blur import boxes_to_blur


def rows(*found: tuple[int, int, float]) -> pl.DataFrame:
    """Frame, track, and the left edge of a box of 40 by 100."""
    return pl.DataFrame(
        [
            {
                **{"camera_id": "gate", "frame_index": frame, "track_id": track},
                **{"x1": left, "y1": 0.0, "x2": left + 40.0, "y2": 100.0},
            }
            for frame, track, left in found
        ]
    )


def frames(observations: pl.DataFrame, fps: float = 10.0) -> dict[int, list[list[float]]]:
    boxes = boxes_to_blur(observations, {"gate": fps})
    return {index: box.tolist() for (_, index), box in sorted(boxes.items())}


def test_a_gap_is_filled_with_the_union_of_both_boxes() -> None:
    found = frames(rows((10, 1, 100.0), (13, 1, 130.0)))
    assert found[10] == [[100.0, 0.0, 140.0, 100.0]]
    # From the one place to the other, and a quarter of that on both sides.
    assert found[11] == found[12] == [[82.5, 0.0, 187.5, 100.0]]
    assert found[13] == [[130.0, 0.0, 170.0, 100.0]]


def test_half_a_second_before_and_after_a_track_is_blurred() -> None:
    found = frames(rows((10, 1, 100.0)))
    assert sorted(found) == list(range(5, 16))
    assert found[5] == found[15] == [[90.0, 0.0, 150.0, 100.0]]


def test_a_long_absence_is_not_filled() -> None:
    assert 20 in frames(rows((10, 1, 100.0), (30, 1, 100.0)))
    assert 20 not in frames(rows((10, 1, 100.0), (31, 1, 100.0)))


def test_tracks_do_not_mix() -> None:
    found = frames(rows((10, 1, 100.0), (12, 2, 300.0)))
    assert len(found[11]) == 2
    assert sorted(box[0] for box in found[11]) == [90.0, 290.0]


def test_without_filling_gaps() -> None:
    seen = boxes_to_blur(rows((10, 1, 100.0), (13, 1, 130.0)), {}, fill_gaps=False)
    assert sorted(seen) == [("gate", 10), ("gate", 13)]


def test_no_people_and_an_unknown_frame_rate() -> None:
    assert boxes_to_blur(rows((0, 1, 1.0)).clear(), {}) == {}
    assert sorted(frames(rows((100, 1, 1.0)), fps=0.0)) == list(range(88, 113))
    assert np.isfinite(frames(rows((100, 1, 1.0)))[100]).all()
