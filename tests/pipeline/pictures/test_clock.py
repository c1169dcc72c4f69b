"""Formatted times, and ticks for spans from 1.7 seconds to days."""

import pytest

from pipeline.pictures.clock import Clock, duration

NINE = 1777626000.0  # 2026-05-01 09:00:00 UTC


def test_times_near_the_epoch_are_relative() -> None:
    clock = Clock(10.0, 4000.0)
    assert clock.relative
    assert clock.moment(10.0) == "00:00.0"
    assert clock.moment(72.54) == "01:02.5"
    assert clock.moment(10 + 59.96) == "01:00.0"
    assert clock.moment(10 + 3600) == "1:00:00.0"


def test_real_times_are_utc() -> None:
    clock = Clock(NINE, NINE + 10)
    assert not clock.relative
    assert clock.moment(NINE) == "2026-05-01 09:00:00.0 UTC"
    assert clock.moment(NINE + 1.75) == "2026-05-01 09:00:01.8 UTC"
    assert clock.moment(NINE + 59.96) == "2026-05-01 09:01:00.0 UTC"


def test_ticks_of_a_second_and_seven_tenths() -> None:
    ticks = Clock(0.0, 1.7).ticks()
    assert [tick.label for tick in ticks] == [
        *("00:00.0", "00:00.5", "00:01.0", "00:01.5"),
    ]
    assert [tick.place for tick in ticks] == pytest.approx([0, 0.5 / 1.7, 1 / 1.7, 1.5 / 1.7])


def test_ticks_of_a_day_name_the_new_day() -> None:
    ticks = Clock(NINE + 600, NINE + 600 + 86_400).ticks()
    labels = ["12:00", "15:00", "18:00", "21:00", "2 May", "03:00", "06:00", "09:00"]
    assert [tick.label for tick in ticks] == labels
    assert ticks[0].place == pytest.approx((3 * 3600 - 600) / 86_400)


def test_ticks_of_a_minute_and_of_a_month() -> None:
    assert [tick.label for tick in Clock(NINE, NINE + 40).ticks()][:2] == ["09:00:00", "09:00:05"]
    month = Clock(NINE, NINE + 30 * 86_400).ticks()
    assert month[0].label.endswith("May 2026")
    assert 3 <= len(month) <= 9


@pytest.mark.parametrize("start", [0.0, NINE])
@pytest.mark.parametrize("span", [0.3, 1.7, 9.9, 61, 3000, 86_400, 9e6])
def test_there_are_always_a_few_ticks_in_place(start: float, span: float) -> None:
    places = [tick.place for tick in Clock(start, start + span).ticks()]
    assert 3 <= len(places) <= 9
    assert places == sorted(set(places))


def test_a_run_of_one_moment_has_a_place() -> None:
    assert Clock(3.0, 3.0).place(3.0) == 0
    assert len(Clock(3.0, 3.0).ticks()) == 1


def test_durations() -> None:
    assert duration(1.7) == "1.7 s"
    assert duration(59.96) == "1 min 0 s"
    assert duration(250) == "4 min 10 s"
    assert duration(86_340) == "23 h 59 min"
