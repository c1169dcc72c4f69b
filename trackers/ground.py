"""From a pixel to a point on the ground, in metres, for a calibrated camera."""

import numpy as np
from numpy.typing import NDArray


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

    ``homography`` ``(3, 3)`` maps ground metres to pixels. A pixel on or above the horizon has no
    point on the ground: its row is NaN.
    """
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(homography).T
    # The sign of the scale tells the two sides of the horizon apart; the ground that the camera
    # sees is on the side where the forward projection is positive.
    points = np.full((len(pixels), 2), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        candidates = rays[:, :2] / rays[:, 2:]
    forward = np.column_stack([candidates, np.ones(len(pixels))]) @ homography[2]
    seen = np.isfinite(candidates).all(axis=1) & (forward > 0)
    points[seen] = candidates[seen]
    return points
