"""Timestamps have the right start and always increase."""

import pytest

from pipeline.config.schema import CameraConfig
from pipeline.sources.clock import RESET_S, STEP_S, Timeline, start_of, with_following

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


def timestamps(offsets: list[float | None], interval_s: float = 0.1) -> list[float]:
    timeline = Timeline(0.0, interval_s)
    return [timeline.next_timestamp(one, after) for one, after in with_following(offsets, 4)]


REGULAR = [n / 10 for n in range(30)]


@pytest.mark.parametrize(
    "wrong",
    [
        {10: 37600.0},
        {10: 37600.0, 20: 37600.0},
        {10: -9800.0},
        {10: 1.5},
        {10: 37600.0, 11: 37600.0},
        {10: 37600.0, 11: 500.0},
        {10: -9800.0, 11: -9800.0, 12: -9800.0},
        {10: 37600.0, 12: 37600.0},
        {29: 37600.0},
        {29: -9800.0},
        {0: 37600.0},
        {0: -9800.0},
    ],
)
def test_times_out_of_line_with_their_neighbours_are_not_believed(wrong: dict[int, float]) -> None:
    offsets = [time + wrong.get(n, 0.0) for n, time in enumerate(REGULAR)]
    # Times are relative to that of the first frame.
    first = offsets[0] if wrong.get(0) else 0.0
    times = timestamps([offset - first for offset in offsets])
    assert times == pytest.approx(REGULAR)


def test_a_missing_time_beside_a_wrong_one() -> None:
    assert timestamps([0.0, None, 500.0, 0.3, None]) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(("gap_s", "interval_s"), [(600.0, 0.1), (1.5, 0.1), (600.0, 0.01)])
def test_a_real_gap_is_believed(gap_s: float, interval_s: float) -> None:
    offsets = [time + (gap_s if n >= 15 else 0) for n, time in enumerate(REGULAR)]
    assert timestamps(offsets, interval_s) == pytest.approx(offsets)


def test_a_wrong_time_just_before_a_real_gap() -> None:
    offsets = [time + (600.0 if n >= 15 else 0) for n, time in enumerate(REGULAR)]
    wrong = [*offsets[:14], 37601.4, *offsets[15:]]
    assert timestamps(wrong) == pytest.approx(offsets)


@pytest.mark.parametrize("back_s", [600.0, 1.5, 0.9])
def test_time_continues_where_a_clock_is_set_back(back_s: float) -> None:
    offsets = [time - (back_s if n >= 15 else 0) for n, time in enumerate(REGULAR)]
    assert timestamps(offsets) == pytest.approx(REGULAR)


def test_a_few_pictures_far_apart_are_believed() -> None:
    offsets = [0.0, 10.0, 20.0, 45.0, 50.0, 60.0]
    assert timestamps(offsets, 10.0) == offsets


def test_every_item_comes_with_those_after_it() -> None:
    assert list(with_following([], 2)) == []
    assert list(with_following([1], 2)) == [(1, [])]
    expected = [(1, [2, 3]), (2, [3, 4]), (3, [4]), (4, [])]
    assert list(with_following([1, 2, 3, 4], 2)) == expected
