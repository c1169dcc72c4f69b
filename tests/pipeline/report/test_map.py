"""Paths on the ground, and their drawing."""

import polars as pl
import pytest

from pipeline.report import ground
from pipeline.report.ground import Steps, joined, lines_of, steps_in, thinned
from pipeline.report.map import map_of


def rows(*seen: tuple[int | None, float, float | None, float | None]) -> pl.DataFrame:
    schema = {"global_id": pl.Int64, "timestamp": pl.Float64}
    places = {"ground_x": pl.Float64, "ground_y": pl.Float64}
    return pl.DataFrame(list(seen), {**schema, **places}, orient="row")


def test_a_path_is_the_mean_place_of_each_half_second() -> None:
    first = steps_in(rows((1, 0.0, 0.0, 0.0), (1, 0.4, 2.0, 4.0), (1, 0.6, 3.0, 3.0)))
    second = steps_in(rows((1, 0.7, 5.0, 3.0), (2, 0.0, 1.0, 1.0)))
    assert lines_of(joined([first, second]), 0.5) == {
        1: [[(1.0, 2.0), (4.0, 3.0)]],
        2: [[(1.0, 1.0)]],
    }


def test_who_is_unknown_or_on_no_ground_has_no_path() -> None:
    seen = rows((None, 0.0, 0.0, 0.0), (1, 0.0, None, None), (1, 1.0, float("nan"), 0.0))
    assert lines_of(joined([steps_in(seen)]), 0.5) == {}


def test_a_line_ends_where_a_person_was_away() -> None:
    seen = rows((1, 0.0, 0.0, 0.0), (1, 3.0, 1.0, 0.0), (1, 6.5, 2.0, 0.0))
    assert lines_of(steps_in(seen), 0.5) == {1: [[(0.0, 0.0), (1.0, 0.0)], [(2.0, 0.0)]]}


def test_a_drawing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = steps_in(rows(*((1, n / 2, float(n), 0.0) for n in range(8))))
    assert thinned(steps)[1] == 0.5
    monkeypatch.setattr(ground, "_MOST_PLACES", 4)
    few, step_s = thinned(steps)
    assert (few.height, step_s) == (4, 1.0)
    assert lines_of(few, step_s) == {1: [[(0.5, 0.0), (2.5, 0.0), (4.5, 0.0), (6.5, 0.0)]]}
    others = pl.DataFrame({"global_id": [2]})
    assert thinned(steps, others)[0].height == 0


def test_longer_steps_where_there_are_too_many_give_the_same_drawing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = [rows(*((who, n / 2, float(n), 0.0) for n in range(16))) for who in (1, 2)]
    monkeypatch.setattr(ground, "_MOST_PLACES", 4)
    expected = thinned(joined([steps_in(part) for part in seen]))
    monkeypatch.setattr(ground, "_MOST_STEPS", 16)
    steps = Steps()
    for part in seen:
        for row in range(0, 16, 4):
            steps.add(part[row : row + 4])
    assert lines_of(*steps.thinned()) == lines_of(*expected)


def test_each_of_many_people_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "_MOST_PLACES", 3)
    steps = Steps()
    steps.add(rows(*((who, 0.0, 1.0, 2.0) for who in range(5))))
    assert steps.thinned()[0].height == 5


def test_the_map_shows_north_above_and_east_at_the_right() -> None:
    found = map_of({3: [[(0.0, 0.0), (8.0, 4.0)]]}, {"gate": (8.0, 0.0), "moon": (1e6, 0.0)})
    assert found is not None
    assert (found.width, found.height, found.step_m) == (1000.0, 600.0, 1.0)
    assert found.ways == [(3, "M100 500L900 100", (900.0, 100.0))]
    assert found.eyes == [("gate", (900.0, 500.0))]
    assert found.columns == [100.0 * n for n in range(1, 10)] + [1000.0]
    assert len(found.rows) == 6


def test_a_person_at_one_place_is_a_dot_and_nobody_is_no_map() -> None:
    found = map_of({1: [[(2.0, 2.0)]]}, {})
    assert found is not None
    assert found.ways[0][1] == "M450 450L450 450"
    assert map_of({}, {"gate": (0.0, 0.0)}) is None


def test_a_place_far_out_does_not_make_a_page_of_lines() -> None:
    found = map_of({1: [[(0.0, 0.0), (1e7, 0.0)]]}, {})
    assert found is not None
    assert len(found.columns) + len(found.rows) < 40
