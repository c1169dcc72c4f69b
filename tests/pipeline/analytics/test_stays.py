"""Who was where for how long, and how many at once."""

import polars as pl
import pytest

from builders_walkers import together, walk
from pipeline.analytics.places import CAMERA, ZONE, Places
from pipeline.analytics.stays import (
    STAY,
    dwell_of,
    joined,
    occupancy,
    on_site,
    people_by_hour,
    stays_in,
)
from pipeline.config.schema import ZoneConfig

SQUARE = [(100.0, 100.0), (200.0, 100.0), (200.0, 200.0), (100.0, 200.0)]
PICTURE = Places({"till": ZoneConfig(camera="a", points=SQUARE)}, {})
GROUND = Places({"floor": ZoneConfig(points=SQUARE)}, {})
NOTHING = Places({}, {})


def stays(*rows: tuple[str, str, int, float, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, STAY, orient="row")


def test_nobody_stays_nowhere() -> None:
    none = stays_in(together(), "a", PICTURE, 2.0)
    assert none.is_empty()
    assert occupancy(none, 60.0).is_empty()
    assert people_by_hour(none).is_empty()
    assert on_site(none, "site", 600.0).schema == STAY


def test_a_person_who_walks_through_a_zone_is_in_it_from_edge_to_edge() -> None:
    # 40 pixels a frame from x = 0: 120, 160 and 200 are inside, the last on the edge.
    through = walk(7, [(0, 150), (400, 150)], seconds=1.0)
    assert stays_in(through, "a", PICTURE, 2.0).rows() == [
        (CAMERA, "a", 7, 0.0, 1.0),
        (ZONE, "till", 7, 0.3, 0.5),
    ]


def test_a_zone_in_the_picture_of_another_camera_is_not_entered() -> None:
    inside = walk(7, [(150, 150), (160, 150)])
    assert stays_in(inside, "b", PICTURE, 2.0)["kind"].to_list() == [CAMERA]
    assert stays_in(inside, "b", GROUND, 2.0)["place"].to_list() == ["b", "floor"]


def test_who_has_no_place_on_the_ground_is_in_no_zone_there() -> None:
    lost = walk(7, [(150, 150), (160, 150)]).with_columns(ground_x=pl.lit(None, pl.Float64))
    assert stays_in(lost, "a", GROUND, 2.0)["kind"].to_list() == [CAMERA]


@pytest.mark.parametrize(("away_s", "visits"), [(2.0, 1), (2.1, 2)])
def test_a_visit_ends_after_the_gap_and_not_at_it(away_s: float, visits: int) -> None:
    rows = together(
        walk(7, [(0, 0), (9, 0)], 0.0, 1.0), walk(7, [(0, 0), (9, 0)], 1.0 + away_s, 1.0)
    )
    assert stays_in(rows, "a", NOTHING, 2.0).height == visits


def test_parts_join_as_if_read_at_once() -> None:
    rows = together(
        walk(1, [(0, 150), (400, 150)]), walk(2, [(0, 150), (150, 150), (0, 150)], 1.0, 8.0)
    )
    whole = stays_in(rows, "a", PICTURE, 2.0)
    cut = [rows.filter(pl.col("timestamp") < 2.05), rows.filter(pl.col("timestamp") >= 2.05)]
    parts = [stays_in(part, "a", PICTURE, 2.0) for part in cut]
    assert joined(parts, 2.0).equals(whole)


def test_two_cameras_see_one_visit_to_a_zone_on_the_ground() -> None:
    one = stays_in(walk(7, [(150, 150), (160, 150)], 0.0, 2.0), "a", GROUND, 2.0)
    other = stays_in(walk(7, [(150, 150), (160, 150)], 1.0, 4.0, "b"), "b", GROUND, 2.0)
    zone = joined([one, other], 2.0).filter(kind=ZONE)
    assert zone.rows() == [(ZONE, "floor", 7, 0.0, 5.0)]


@pytest.mark.parametrize(("gap", "visits"), [(600.0, 1), (600.5, 2)])
def test_a_person_is_on_the_site_between_its_cameras(gap: float, visits: int) -> None:
    seen = stays((CAMERA, "a", 7, 0.0, 10.0), (CAMERA, "b", 7, 10.0 + gap, 11.0 + gap))
    assert on_site(seen, "shop", 600.0).height == visits


def test_a_person_counts_once_however_many_visits_and_cameras() -> None:
    seen = stays((CAMERA, "a", 1, 0.0, 10.0), (CAMERA, "a", 1, 20.0, 40.0), (CAMERA, "a", 2, 5, 6))
    site = on_site(pl.concat([seen, stays((CAMERA, "b", 1, 5.0, 30.0))]), "shop", 600.0)
    row = people_by_hour(seen).row(0, named=True)
    assert (row["hour"], row["people"], row["visits"]) == (None, 2, 3)
    assert (row["mean_s"], row["longest_s"]) == pytest.approx((31 / 3, 20.0))
    assert people_by_hour(site).row(0, named=True)["people"] == 2


def test_a_visit_over_the_hour_counts_in_both_and_begins_in_one() -> None:
    hours = people_by_hour(stays((CAMERA, "a", 1, 3590.0, 3610.0))).filter(
        pl.col("hour").is_not_null()
    )
    assert [h.hour for h in hours["hour"]] == [0, 1]
    assert hours.select("people", "visits", "mean_s").rows() == [(1, 1, 20.0), (1, 0, None)]


def test_occupancy_is_exact_at_the_edges_of_spans() -> None:
    seen = stays((ZONE, "z", 1, 5.0, 25.0), (ZONE, "z", 2, 20.0, 30.0), (ZONE, "z", 3, 30.0, 41.0))
    rows = occupancy(seen, 10.0).select("start", "mean", "most", "people").rows()
    assert rows == [
        (0.0, 0.5, 1, 1),
        (10.0, 1.0, 1, 1),
        (20.0, 1.5, 2, 2),
        # Who leaves in a moment is still there in it.
        (30.0, 1.0, 2, 2),
        (40.0, pytest.approx(0.1), 1, 1),
    ]


def test_a_long_visit_fills_the_spans_in_which_nobody_comes_or_goes() -> None:
    seen = stays((ZONE, "z", 1, 0.0, 95.0), (ZONE, "z", 2, 1.0, 2.0))
    assert occupancy(seen, 10.0)["most"].to_list() == [2, *[1] * 9]


def test_spans_between_two_visits_are_empty() -> None:
    seen = stays((ZONE, "z", 1, 0.0, 5.0), (ZONE, "z", 2, 31.0, 35.0))
    assert occupancy(seen, 10.0).select("mean", "most", "people").rows() == [
        (0.5, 1, 1),
        (0.0, 0, 0),
        (0.0, 0, 0),
        (0.4, 1, 1),
    ]


def test_dwell_is_the_median_the_95th_part_and_the_longest() -> None:
    rows = [("zone", "till", n % 5, 100.0 * n, 100.0 * n + n) for n in range(21)]
    found = stays(*rows, ("camera", "till", 9, 0.0, 99.0))
    assert dwell_of(found, ["till"]).rows() == [("till", 5, 21, 10.0, 19.0, 20.0)]
    assert dwell_of(STAY.to_frame(), []).is_empty()
