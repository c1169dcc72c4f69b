import numpy as np
import pytest

from trackers.ground.view import ground_points, ground_to_image


def camera_above(height: float, tilt_deg: float) -> np.ndarray:
    """The projection of a camera over the origin, that looks along y and down by ``tilt_deg``."""
    tilt = np.radians(tilt_deg)
    # Rows: the camera's right, down and forward axes in world coordinates (z is up).
    axes = np.array(
        [
            [1, 0, 0],
            [0, -np.sin(tilt), -np.cos(tilt)],
            [0, np.cos(tilt), -np.sin(tilt)],
        ]
    )
    intrinsics = np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]])
    return intrinsics @ np.column_stack([axes, -axes @ [0, 0, height]])


def project(projection: np.ndarray, x: float, y: float, z: float = 0.0) -> np.ndarray:
    u, v, w = projection @ [x, y, z, 1]
    return np.array([u / w, v / w])


def test_a_point_on_the_ground_comes_back() -> None:
    projection = camera_above(3, 20)
    points = np.array([[0, 8], [-2, 5], [3, 40.0]])
    pixels = np.array([project(projection, x, y) for x, y in points])

    found = ground_points(pixels, ground_to_image(projection))

    assert found == pytest.approx(points, abs=1e-6)


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-6, -250.0])
def test_a_homography_of_any_scale_gives_the_same_points(scale: float) -> None:
    # A homography is known up to a factor, which may be negative.
    projection = camera_above(3, 20)
    pixel = project(projection, 1, 8)[None]
    reference = ground_to_image(projection)
    assert ground_points(pixel, reference) == pytest.approx(np.array([[1, 8]]))

    found = ground_points(pixel, scale * reference)

    assert found == pytest.approx(np.array([[1, 8.0]]))


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_the_origin_of_the_ground_may_lie_behind_the_camera(scale: float) -> None:
    # With the usual norm, a last entry of 1, such a homography is negative where the camera looks.
    projection = camera_above(3, 20) @ np.array(
        [[1, 0, 0, 0], [0, 1, 0, -50], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    )
    homography = ground_to_image(projection)
    homography = scale * homography / homography[2, 2]

    found = ground_points(project(projection, 1, 58)[None], homography)

    assert found == pytest.approx(np.array([[1, 58.0]]))


@pytest.mark.parametrize("tilt_deg", [89.9, 90.0, 90.1])
def test_a_camera_that_appearance_straight_down_sees_ground_everywhere(tilt_deg: float) -> None:
    projection = camera_above(3, tilt_deg)
    pixels = np.array([[0, 0], [320, 240], [640, 480.0]])

    found = ground_points(pixels, ground_to_image(projection))

    assert found[1] == pytest.approx([0, 0], abs=0.01)
    assert np.isfinite(found).all()


def test_a_ground_with_its_y_axis_mirrored_works_too() -> None:
    projection = camera_above(3, 20) @ np.diag([1, -1, 1, 1.0])

    found = ground_points(project(projection, 1, -8)[None], ground_to_image(projection))

    assert found == pytest.approx(np.array([[1, -8.0]]))


def test_a_pixel_on_or_above_the_horizon_has_no_point() -> None:
    projection = camera_above(3, 0)  # the horizon is the middle row
    pixels = np.array([[320, 240], [320, 100], [320, 241.0]])

    found = ground_points(pixels, ground_to_image(projection))

    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx([0, 3 * 500])


def test_the_horizon_of_a_tilted_camera() -> None:
    projection = camera_above(3, 20)
    horizon = 240 - 500 * np.tan(np.radians(20))
    pixels = np.array([[320, horizon - 1], [320, horizon + 1]])

    found = ground_points(pixels, ground_to_image(projection))

    assert np.isnan(found[0]).all()
    assert found[1, 1] > 500


def test_no_pixels() -> None:
    assert ground_points(np.zeros((0, 2)), np.eye(3)).shape == (0, 2)


def test_the_plane_leaves_out_the_third_column() -> None:
    projection = np.arange(12.0).reshape(3, 4)

    assert ground_to_image(projection).tolist() == [[0, 1, 3], [4, 5, 7], [8, 9, 11]]
