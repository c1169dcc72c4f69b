"""What a camera sees of the ground: the polygon holds what is in the picture, and nothing else."""

import numpy as np
import pytest

from pipeline.areas import inside
from pipeline.calibration.field import field_of_view
from pipeline.calibration.fit import to_picture

SIZE = (640, 480)
BOUNDS = (-20.0, -5.0, 20.0, 60.0)


def looking(down_deg: float, turn_deg: float, height_m: float = 3.0) -> np.ndarray:
    """The homography of a camera above (0, 0) that looks along y, turned, and down."""
    down, turn = np.radians([down_deg, turn_deg])
    across = np.array([np.cos(turn), np.sin(turn), 0])
    ahead = np.array([-np.sin(turn) * np.cos(down), np.cos(turn) * np.cos(down), -np.sin(down)])
    axes = np.stack([across, np.cross(ahead, across), ahead])
    camera = np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1]]) @ axes
    return np.column_stack([camera[:, :2], camera @ (0, 0, -height_m)])


@pytest.mark.parametrize("factor", [1.0, -0.01])
@pytest.mark.parametrize(("down", "turn"), [(10, 0), (30, 50), (60, -120), (90, 20)])
def test_what_is_in_the_picture_is_in_the_polygon(down: float, turn: float, factor: float) -> None:
    homography = factor * looking(down, turn)
    field = field_of_view(homography, SIZE, BOUNDS)
    ground = np.random.default_rng(1).uniform(BOUNDS[:2], BOUNDS[2:], (4000, 2))
    pixels = to_picture(ground, homography)
    seen = ((pixels >= 0) & (pixels <= SIZE)).all(axis=1)
    assert seen.any()
    assert not seen.all()
    assert (inside(field.tolist(), ground[:, 0], ground[:, 1]) == seen).all()


def test_nothing_of_the_bounds_may_be_seen() -> None:
    assert field_of_view(looking(30, 180), SIZE, (-5, 20, 5, 40)).shape == (0, 2)


def test_a_field_to_the_horizon_ends_at_the_bounds() -> None:
    field = field_of_view(looking(10, 0), SIZE, BOUNDS)
    assert field[:, 1].max() == BOUNDS[3]
