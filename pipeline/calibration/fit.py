"""Fit a camera's homography to point pairs: pixels in its picture and metres on the ground."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.config.load import read_yaml
from pipeline.errors import UserError, unknown_name
from trackers.ground.view import ground_points, view_of_homography

Points = NDArray[np.float64]

MIN_PAIRS = 4
# Minimum ratio of singular values; three points clicked roughly on a line stay below it.
_NEARLY_ON_A_LINE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class PointPairs:
    """Measured point pairs: ``picture`` ``(N, 2)`` pixels, ``ground`` ``(N, 2)`` metres."""

    picture: Points
    ground: Points


@dataclass(frozen=True, slots=True, eq=False)
class HomographyFit:
    """A ``homography`` ``(3, 3)`` from ground metres to pixels, and the error of each pair.

    ``pixels`` ``(N,)`` is the error in the picture, ``metres`` ``(N,)`` that on the ground.
    """

    homography: NDArray[np.float64]
    pixels: Points
    metres: Points


def read_pairs(path: Path, camera_id: str) -> PointPairs:
    """The pairs of one camera in ``cameras: {NAME: {points: [{picture, ground}, ...]}}``.

    Raises UserError that names the file, the key and what was expected.
    """
    cameras = _value(read_yaml(path), "cameras", str(path))
    if not isinstance(cameras, dict):
        raise UserError(f"{path}: cameras: expected keys and values")
    if camera_id not in cameras:
        raise UserError(f"{path}: {unknown_name('camera', camera_id, map(str, cameras))}")
    place = f"{path}: cameras.{camera_id}"
    points = _value(cameras[camera_id], "points", place)
    if not isinstance(points, list):
        raise UserError(f"{place}.points: expected a list of pairs")
    pairs = [_pair(pair, f"{place}.points.{number}") for number, pair in enumerate(points)]
    both = np.array(pairs, np.float64).reshape(-1, 2, 2)
    return PointPairs(both[:, 0], both[:, 1])


def fit_homography(pairs: PointPairs) -> HomographyFit:
    """The homography with the least squared error in pixels over all pairs.

    Raises UserError for fewer than four pairs, for degenerate points, such as three of four on a
    line, and for pairs that no upright camera can see.
    """
    if len(pairs.picture) < MIN_PAIRS:
        raise UserError(f"expected at least {MIN_PAIRS} points, got {len(pairs.picture)}")
    for name, points in (("picture", pairs.picture), ("ground", pairs.ground)):
        if np.ptp(points, axis=0).max() == 0:
            raise UserError(f"all {name} points are the same: expected points far apart")
    if _spread(pairs) < _NEARLY_ON_A_LINE:
        raise UserError(
            "the points determine no homography: expected four points of which no three are on a "
            "line or close together, in the picture and on the ground"
        )
    homography = _least_squares(pairs)
    seen = ground_points(pairs.picture, homography)
    view = view_of_homography(homography)
    wrong = np.isnan(seen).any(axis=1) | ~view.in_front(pairs.ground)
    if wrong.any():
        raise UserError(
            f"point {int(np.argmax(wrong)) + 1} would be behind the camera or above the horizon: "
            "expected each pair to be the same place, in an upright picture"
        )
    return HomographyFit(
        homography,
        np.linalg.norm(to_picture(pairs.ground, homography) - pairs.picture, axis=1),
        np.linalg.norm(seen - pairs.ground, axis=1),
    )


def _least_squares(pairs: PointPairs) -> NDArray[np.float64]:
    # OpenCV computes in 32 bits: centimetres would be lost far from (0, 0).
    middle = pairs.ground.mean(axis=0)
    found, _ = cv2.findHomography(pairs.ground - middle, pairs.picture, 0)
    moved = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]])
    if found is None or np.linalg.matrix_rank(found @ moved) < 3:
        raise UserError("the points determine no homography: give ground metres near (0, 0)")
    return np.asarray(found @ moved, np.float64)


def to_picture(ground: Points, homography: NDArray[np.float64]) -> Points:
    """``(N, 2)`` pixels of ``(N, 2)`` ground metres; NaN behind the camera."""
    rays = np.column_stack([ground, np.ones(len(ground))]) @ homography.T
    rays[~view_of_homography(homography).in_front(ground)] = np.nan
    return np.asarray(rays[:, :2] / rays[:, 2:])


def as_yaml(camera_id: str, homography: NDArray[np.float64]) -> str:
    """The homography as YAML for a site file."""
    calibration = {"calibration": {"homography": homography.tolist()}}
    return yaml.safe_dump({"cameras": {camera_id: calibration}}, default_flow_style=None, width=200)


def _spread(pairs: PointPairs) -> float:
    """How well the pairs determine a homography; 0 means not at all.

    The ratio of the second smallest to the largest singular value of the equations of the direct
    linear transformation (Hartley and Zisserman, Multiple View Geometry, 4.1).
    """
    (x, y), (u, v) = _centred(pairs.ground).T, _centred(pairs.picture).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    across = np.column_stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u])
    down = np.column_stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v])
    values = np.linalg.svd(np.concatenate([across, down]), compute_uv=False)
    return float(values[7] / values[0])


def _centred(points: Points) -> Points:
    """``points`` normalised to mean 0 and a mean distance of sqrt(2) from it."""
    moved = points - points.mean(axis=0)
    return np.asarray(moved * (np.sqrt(2) / np.linalg.norm(moved, axis=1).mean()))


def _pair(value: Any, place: str) -> list[list[float]]:
    pair = [_point(_value(value, key, place), f"{place}.{key}") for key in ("picture", "ground")]
    if unknown := set(value) - {"picture", "ground"}:
        raise UserError(f"{place}: unknown key {min(map(str, unknown))!r}. Known: picture, ground")
    return pair


def _point(value: Any, place: str) -> list[float]:
    if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
        raise UserError(f"{place}: expected two numbers, [x, y], got {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _value(values: Any, key: str, place: str) -> Any:
    if not isinstance(values, dict):
        raise UserError(f"{place}: expected keys and values, one of them {key}")
    if key not in values:
        raise UserError(f"{place}: {key} is missing")
    return values[key]
