"""From a pixel to a point on the ground, in metres, for a calibrated camera."""

import numpy as np
from numpy.typing import NDArray

#: A pixel under every picture (homogeneous).
FAR_BELOW = np.array([0.0, 1e4, 1.0])


def ground_to_image(projection: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ``(3, 3)`` homography from ground metres to pixels, for the plane Z = 0.

    ``projection`` is ``(3, 4)`` from world metres to pixels: leaving out its third column is the
    restriction to Z = 0 (Hartley and Zisserman, Multiple View Geometry, 8.1.1).
    """
    return projection[:, [0, 1, 3]]


def ground_points(
    pixels: NDArray[np.float64], homography: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(N, 2)`` ground metres of ``(N, 2)`` pixel points.

    ``homography`` ``(3, 3)`` maps ground metres to pixels, up to any factor, for a camera held
    upright or looking straight down. A pixel on or above the horizon has no point on the ground:
    its row is NaN.
    """
    inverse = np.linalg.inv(homography)
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ inverse.T
    # The sign of the scale tells the two sides of the horizon apart. Which sign is the ground's
    # depends on the homography's factor; a pixel far below the picture is always on its side.
    ground_side = np.sign(inverse[2] @ FAR_BELOW)
    with np.errstate(divide="ignore", invalid="ignore"):
        points = rays[:, :2] / rays[:, 2:]
    seen = np.isfinite(points).all(axis=1) & (rays[:, 2] * ground_side > 0)
    points[~seen] = np.nan
    return np.asarray(points)
