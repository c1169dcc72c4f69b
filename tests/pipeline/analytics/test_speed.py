"""How fast people walk, from positions that tremble."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from builders_walkers import together, walk
from pipeline.analytics import speed
from pipeline.analytics.speed import Bins, binned, positions_in, speeds_of


def speeds(*rows: pl.DataFrame) -> pl.DataFrame:
    return speeds_of(binned([positions_in(part) for part in rows]))


@pytest.mark.parametrize("most", [0, 10, 10**6])
def test_many_positions_are_held_in_files(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(speed, "_MOST_HELD", most)
    people = [walk(n, [(0, 0), (3 + n, 4)], seconds=5.0 + n) for n in (1, 2, 33, 40)]
    bins = Bins()
    for rows in together(*people).iter_slices(7):
        bins.add(positions_in(rows))
    assert_frame_equal(bins.speeds(), speeds(*people))
    assert Bins().speeds().is_empty()


def test_nobody_and_a_short_visit_have_no_speed() -> None:
    assert speeds().is_empty()
    assert speeds(together()).is_empty()
    assert speeds(walk(7, [(0, 0), (1, 0)], seconds=1.0)).is_empty()


def test_who_walks_evenly_has_that_speed() -> None:
    row = speeds(walk(7, [(0, 0), (18, 24)], seconds=20.0)).row(0, named=True)
    assert row["mean"] == pytest.approx(1.5, rel=0.02)
    assert row["fast"] == pytest.approx(1.5, rel=0.02)
    assert row["distance_m"] == pytest.approx(1.5 * row["seconds"], rel=0.01)


def test_trembling_adds_little_to_the_way() -> None:
    rows = walk(7, [(0, 0), (30, 0)], seconds=30.0)
    chance = np.random.default_rng(1)
    noise = chance.normal(0, 0.15, (2, rows.height))
    shaken = rows.with_columns(
        ground_x=pl.col("ground_x") + noise[0], ground_y=pl.col("ground_y") + noise[1]
    )
    raw = float(
        np.hypot(*np.diff(shaken.select("ground_x", "ground_y").to_numpy(), axis=0).T).sum()
    )
    assert raw > 2 * 30
    assert speeds(shaken)["mean"][0] == pytest.approx(1.0, rel=0.05)


def test_a_person_out_of_sight_did_not_jump() -> None:
    rows = together(walk(7, [(0, 0), (10, 0)], 0.0, 10.0), walk(7, [(50, 0), (60, 0)], 13.0, 10.0))
    assert speeds(rows)["mean"][0] == pytest.approx(1.0, rel=0.03)


def test_parts_and_cameras_add_up() -> None:
    rows = walk(7, [(0, 0), (20, 0)], seconds=20.0)
    half = pl.col("timestamp") < 9.75
    assert speeds(rows.filter(half), rows.filter(~half)).equals(speeds(rows))
    assert speeds(rows, rows.with_columns(camera_id=pl.lit("b"))).equals(speeds(rows))
