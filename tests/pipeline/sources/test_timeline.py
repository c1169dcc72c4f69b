"""Timestamps have the right start and always increase."""

from itertools import pairwise

import pytest

from pipeline.config.schema import CameraConfig
from pipeline.sources.clock import RESET_S, STEP_S, Timeline, start_of, with_next

CAMERA = CameraConfig(source="a.mp4")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-02T12:59:22.000000Z", (1719925162.0, "container")),
        ("2024-07-02T14:59:22+02:00", (1719925162.0, "container")),
        ("2024-07-02T12:59:22", (0.0, "epoch")),
        ("1970-01-01T00:00:00Z", (0.0, "epoch")),
        ("1904-01-01T00:00:00Z", (0.0, "epoch")),
        ("yesterday", (0.0, "epoch")),
        ("", (0.0, "epoch")),
    ],
)
def test_start_from_the_container(text: str, expected: tuple[float, str]) -> None:
    assert start_of(CAMERA, {"creation_time": text}) == expected


def test_without_any_time_it_is_the_epoch() -> None:
    assert start_of(CAMERA, {"date": "2024/07/02"}) == (0.0, "epoch")


def test_times_are_added_to_the_start() -> None:
    timeline = Timeline(100.0, 0.1)
    assert [timeline.next_timestamp(offset) for offset in (0.0, 0.1, 0.5)] == [100.0, 100.1, 100.5]


def test_a_missing_time_is_one_interval_later() -> None:
    timeline = Timeline(100.0, 0.25)
    assert [
        timeline.next_timestamp(None),
        timeline.next_timestamp(None),
        timeline.next_timestamp(1.0),
    ] == [100.0, 100.25, 101.0]


def test_repeated_and_earlier_times_advance_by_a_step() -> None:
    timeline = Timeline(0.0, 0.1)
    times = [timeline.next_timestamp(offset) for offset in (1.0, 1.0, 0.9, 1.1)]
    assert times == pytest.approx([1.0, 1.0 + STEP_S, 1.0 + 2 * STEP_S, 1.1])


def test_time_continues_after_a_clock_reset() -> None:
    timeline = Timeline(0.0, 0.1)
    times = [timeline.next_timestamp(offset) for offset in (50.0, 0.0, 0.1)]
    assert times == pytest.approx([50.0, 50.1, 50.2])


def test_the_reset_threshold() -> None:
    at, past = Timeline(0.0, 0.25), Timeline(0.0, 0.25)
    at.next_timestamp(5.0), past.next_timestamp(5.0)
    assert at.next_timestamp(5.0 - RESET_S) == 5.0 + STEP_S
    assert past.next_timestamp(5.0 - RESET_S - 0.001) == 5.25


def test_a_time_out_of_line_with_its_neighbours_is_not_believed() -> None:
    timeline = Timeline(0.0, 0.1)
    offsets = [0.0, 500.0, 0.2, -500.0, 0.4, None]
    times = [timeline.next_timestamp(a, b) for a, b in pairwise(offsets)]
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_a_real_gap_is_believed() -> None:
    timeline = Timeline(0.0, 0.1)
    times = [timeline.next_timestamp(a, b) for a, b in pairwise([0.0, 0.1, 500.0, 500.1, None])]
    assert times == pytest.approx([0.0, 0.1, 500.0, 500.1])


def test_every_item_comes_with_the_one_after_it() -> None:
    assert list(with_next([])) == []
    assert list(with_next([1])) == [(1, None)]
    assert list(with_next([1, 2, 3])) == [(1, 2), (2, 3), (3, None)]
