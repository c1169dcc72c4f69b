"""The floor plan in the site file: three points place it on the ground."""

import numpy as np
import pytest

from pipeline.config.load import check_config
from pipeline.config.schema import PlanConfig
from pipeline.errors import UserError

PIXELS = [(100, 50), (300, 50), (100, 450)]
METRES = [(0, 0), (10, 0), (0, -20)]


def plan(pixels: list[tuple[float, float]], metres: list[tuple[float, float]]) -> dict[str, object]:
    points = [{"picture": p, "ground": g} for p, g in zip(pixels, metres, strict=True)]
    return {"plan": {"picture": "floor.png", "points": points}}


def config_of(values: dict[str, object]) -> PlanConfig:
    found = check_config(values, "the test").plan
    assert found is not None
    return found


def test_three_points_place_the_plan_on_the_ground() -> None:
    to_ground = config_of(plan(PIXELS, METRES)).to_ground
    assert to_ground @ (100, 50, 1) == pytest.approx((0, 0, 1))
    assert to_ground @ (200, 250, 1) == pytest.approx((5, -10, 1))


def test_a_plan_may_be_turned() -> None:
    angle = 0.7
    turn = 0.02 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    metres = [tuple(map(float, turn @ pixel)) for pixel in PIXELS]
    to_ground = config_of(plan(PIXELS, metres)).to_ground  # type: ignore[arg-type]
    assert to_ground[:2, :2] == pytest.approx(turn)


@pytest.mark.parametrize(
    ("pixels", "metres", "named"),
    [
        ([(0, 0), (10, 10), (20, 20)], METRES, "not on a line, see their picture"),
        (PIXELS, [(0, 0), (10, 0), (20, 0.09)], "not on a line, see their ground"),
        ([(5, 5), (5, 5), (100, 0)], METRES, "not on a line, see their picture"),
        ([*PIXELS, (0, 0)], [*METRES, (1, 1)], "plan.points"),
        (PIXELS[:2], METRES[:2], "plan.points"),
    ],
)
def test_points_that_place_nothing(
    pixels: list[tuple[float, float]], metres: list[tuple[float, float]], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        check_config(plan(pixels, metres), "the test")


def test_points_just_off_a_line_are_used() -> None:
    # The triangle is a little higher than a hundredth of its longest side.
    config_of(plan(PIXELS, [(0, 0), (10, 0.21), (20, 0)]))
