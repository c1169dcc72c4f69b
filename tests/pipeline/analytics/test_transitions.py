"""Who went from where to where."""

import polars as pl

from pipeline.analytics.places import CAMERA, SITE, ZONE
from pipeline.analytics.stays import STAY
from pipeline.analytics.transitions import TRANSITION, flow, transitions_of


def ways(*rows: tuple[str, str, int, float, float]) -> list[tuple[object, ...]]:
    found = transitions_of(pl.DataFrame(rows, STAY, orient="row"))
    assert found.schema == TRANSITION
    return found.select("global_id", "origin", "destination", "seconds", "overlap_s").rows()


def test_without_stays_nobody_went_anywhere() -> None:
    assert ways() == []
    assert flow(TRANSITION.to_frame()).is_empty()


def test_from_camera_to_camera_and_back_takes_the_time_between() -> None:
    assert ways(
        (CAMERA, "a", 1, 0.0, 10.0),
        (CAMERA, "b", 1, 15.0, 20.0),
        (CAMERA, "a", 1, 21.0, 30.0),
        (CAMERA, "b", 2, 16.0, 20.0),
    ) == [(1, "a", "b", 5.0, 0.0), (1, "b", "a", 1.0, 0.0)]


def test_no_time_is_negative_where_views_overlap() -> None:
    assert ways((CAMERA, "a", 1, 0.0, 10.0), (CAMERA, "b", 1, 6.0, 20.0)) == [
        (1, "a", "b", 0.0, 4.0)
    ]


def test_the_origin_is_the_place_that_saw_the_person_last() -> None:
    assert ways(
        (CAMERA, "a", 1, 0.0, 100.0), (CAMERA, "b", 1, 10.0, 20.0), (CAMERA, "c", 1, 103.0, 110.0)
    ) == [(1, "a", "b", 0.0, 10.0), (1, "a", "c", 3.0, 0.0)]


def test_one_who_returns_to_the_camera_went_nowhere() -> None:
    assert ways((CAMERA, "a", 1, 0.0, 10.0), (CAMERA, "a", 1, 50.0, 60.0)) == []


def test_cameras_and_zones_are_apart_and_the_site_is_no_place_to_go_to() -> None:
    assert (
        ways((CAMERA, "a", 1, 0.0, 10.0), (ZONE, "till", 1, 2.0, 5.0), (SITE, "shop", 1, 0.0, 10.0))
        == []
    )


def test_flow_counts_ways_and_people() -> None:
    rows = [(CAMERA, "a", n, 0.0, 10.0) for n in range(3)]
    rows += [(CAMERA, "b", n, 10.0 + 2 * n, 30.0) for n in range(3)]
    rows += [(CAMERA, "a", 0, 31.0, 32.0), (CAMERA, "b", 0, 31.5, 40.0)]
    found = flow(transitions_of(pl.DataFrame(rows, STAY, orient="row")))
    assert found.rows() == [
        ("camera", "a", "b", 4, 3, 1.0, 0.25),
        ("camera", "b", "a", 1, 1, 1.0, 0),
    ]
