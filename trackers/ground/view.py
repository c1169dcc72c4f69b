"""From a pixel to a point on the ground, in metres, for a calibrated camera."""

from dataclasses import dataclass

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
    # The sign of the scale separates the two sides of the horizon. Which sign is the ground's
    # depends on the homography's factor; a pixel far below the picture is always on its side.
    ground_side = np.sign(inverse[2] @ FAR_BELOW)
    with np.errstate(divide="ignore", invalid="ignore"):
        points = rays[:, :2] / rays[:, 2:]
    seen = np.isfinite(points).all(axis=1) & (rays[:, 2] * ground_side > 0)
    points[~seen] = np.nan
    return np.asarray(points)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The projection of people standing on the ground into a calibrated camera.

    ``projection`` is ``(3, 4)`` from world metres to pixels. Without ``sees_height`` it is right on
    the ground only.
    """

    projection: NDArray[np.float64]
    sees_height: bool = True

    @property
    def eye(self) -> NDArray[np.float64]:
        """Where the camera is, ``(3,)`` metres; with a homography alone, what stands for it."""
        left, right = self.projection[:, :3], self.projection[:, 3]
        return np.asarray(-np.linalg.lstsq(left, right, rcond=None)[0])

    def in_front(self, ground: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of ``(N, 2)`` points on the ground lie before the camera: ``(N,)``."""
        homography = ground_to_image(self.projection)
        side = np.sign(np.linalg.inv(homography)[2] @ FAR_BELOW)
        return np.asarray((ground @ homography[2, :2] + homography[2, 2]) * side > 0)

    def boxes(
        self, ground: NDArray[np.float64], heights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where people are in the picture, and how that changes with where they stand.

        ``ground`` is ``(N, 2)`` metres, ``heights`` ``(N,)`` metres. Returns ``(N, 3)`` pixels,
        which are the middle of the body across, and its lowest and highest point down the picture;
        and their derivatives ``(N, 3, 3)`` by x, y and height.
        """
        across, up = self.projection[:, :2], self.projection[:, 2]
        feet = ground @ across.T + self.projection[:, 3]
        boxes = np.empty((len(ground), 3))
        slopes = np.empty((len(ground), 3, 3))
        for column, (axis, share) in enumerate(((0, 0.5), (1, 0.0), (1, 1.0))):
            point = feet + share * heights[:, None] * up
            depth = np.where(point[:, 2] == 0, 1e-9, point[:, 2])
            boxes[:, column] = point[:, axis] / depth
            by_world = np.column_stack([across, share * up])
            slopes[:, column] = (by_world[axis] - boxes[:, column, None] * by_world[2]) / depth[
                :, None
            ]
        return boxes, slopes


def view_of_homography(homography: NDArray[np.float64]) -> View:
    """The view of a camera of which only ``(3, 3)``, from ground metres to pixels, is known."""
    flat = np.insert(homography, 2, 0.0, axis=1)
    return View(flat, sees_height=False)
