"""The endpoints that calibrate a camera: fit points, show the ground, save to the site file."""

from pathlib import Path as FilePath
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Path, Query
from numpy.typing import NDArray

from pipeline.api.schemas import (
    CalibrationAnswer,
    CalibrationRequest,
    CameraAnswer,
    FitAnswer,
    GridLineAnswer,
    Problem,
    SavedAnswer,
)
from pipeline.api.shown import ShownSite
from pipeline.calibration.fit import HomographyFit, PointPairs, fit_homography
from pipeline.calibration.picture import grid_lines
from pipeline.config.edit import ChangedFileError, save_homography, seen_of
from pipeline.config.schema import CameraCalibration, CameraConfig, SiteConfig
from pipeline.errors import UserError
from trackers.ground.view import ground_to_image

_MOST_POINTS = 100

_CameraId = Annotated[str, Path(description="Name of the camera.")]
_Points = Annotated[
    list[str],
    Query(
        alias="point",
        max_length=_MOST_POINTS,
        description="Pixel x, pixel y, ground x, ground y, with commas; at least four of them.",
    ),
]
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "Unknown camera, or the size of its picture is unknown."}
}
_UNFIT: dict[int | str, dict[str, Any]] = {
    **_UNKNOWN,
    400: {"model": Problem, "description": "The points determine nothing: the reason says why."},
}
_NOT_SAVED: dict[int | str, dict[str, Any]] = {
    **_UNFIT,
    404: {"model": Problem, "description": "Unknown camera, or the API has no site file."},
    409: {"model": Problem, "description": "The site file was changed meanwhile."},
}


def add_calibration(data: APIRouter, site: ShownSite, file: FilePath | None) -> None:
    """Add the endpoints; ``file`` is the site file, None without one."""

    @data.get("/calibration/{camera_id}", responses=_UNKNOWN)
    def calibration(camera_id: _CameraId) -> CalibrationAnswer:
        """The calibration of a camera, as a grid of a metre on its picture."""
        camera = _camera(site, camera_id)
        view = site.config.cameras.get(camera_id, CameraConfig()).view
        found = None if view is None else ground_to_image(view.projection)
        return CalibrationAnswer(
            camera_id=camera_id,
            width=camera.width,
            height=camera.height,
            homography=None if found is None else found.tolist(),
            grid=[] if found is None else _grid(camera, found, None),
            file=None if file is None else file.name,
            seen=None if file is None else seen_of(file),
        )

    @data.get("/calibration/{camera_id}/fit", responses=_UNFIT)
    def fit(camera_id: _CameraId, points: _Points) -> FitAnswer:
        """The calibration that fits points of the picture and of the ground best; saves nothing."""
        camera = _camera(site, camera_id)
        pairs = _pairs([_numbers(point) for point in points])
        found = _fitted(pairs)
        return FitAnswer(
            found.homography.tolist(),
            found.pixels.tolist(),
            found.metres.tolist(),
            _grid(camera, found.homography, pairs),
        )

    @data.put("/calibration/{camera_id}", responses=_NOT_SAVED)
    def save(camera_id: _CameraId, body: CalibrationRequest) -> SavedAnswer:
        """Fit points and save the calibration to the site file, of which all else stays.

        A running site with live cameras follows its file, and opens the camera again.
        """
        _camera(site, camera_id)
        if file is None:
            raise HTTPException(404, "nothing can be saved: start the API with --config SITE.yaml")
        matrix = _fitted(_pairs([list(point) for point in body.points])).homography.tolist()
        try:
            seen = save_homography(file, camera_id, matrix, body.seen)
        except ChangedFileError as error:
            raise HTTPException(409, str(error)) from error
        except UserError as error:
            raise HTTPException(400, str(error)) from error
        site.config = _with_homography(site.config, camera_id, matrix)
        return SavedAnswer(file.name, seen)


def _camera(site: ShownSite, camera_id: str) -> CameraAnswer:
    cameras = {camera.id: camera for camera in site.cameras()}
    if camera_id not in cameras:
        known = ", ".join(cameras) or "none"
        raise HTTPException(404, f"unknown camera {camera_id!r}. Known: {known}")
    camera = cameras[camera_id]
    if not (camera.width and camera.height):
        raise HTTPException(404, f"camera {camera_id} has sent no frame yet: it is {camera.state}")
    return camera


def _numbers(point: str) -> list[float]:
    try:
        return [float(number) for number in point.split(",")]
    except ValueError:
        raise HTTPException(400, f"point {point!r}: expected four numbers with commas") from None


def _pairs(points: list[list[float]]) -> PointPairs:
    if not all(len(point) == 4 and np.isfinite(point).all() for point in points):
        raise HTTPException(400, "expected four numbers for each point: px, py, X, Y")
    if len(points) > _MOST_POINTS:
        raise HTTPException(400, f"expected at most {_MOST_POINTS} points, got {len(points)}")
    both = np.array(points, np.float64).reshape(-1, 4)
    return PointPairs(both[:, :2], both[:, 2:])


def _fitted(pairs: PointPairs) -> HomographyFit:
    try:
        return fit_homography(pairs)
    except UserError as error:
        raise HTTPException(400, str(error)) from error


def _grid(
    camera: CameraAnswer, homography: NDArray[np.float64], pairs: PointPairs | None
) -> list[GridLineAnswer]:
    """The lines of the grid near the picture, each without a gap; none where no ground is seen."""
    size = camera.width, camera.height
    far = 2.0 * max(size)
    found: list[GridLineAnswer] = []
    try:
        for text, pixels in grid_lines(size, homography, pairs):
            near = np.isfinite(pixels).all(axis=1) & (np.abs(pixels) < far).all(axis=1)
            for part in np.split(pixels, np.flatnonzero(np.diff(near)) + 1):
                if len(part) > 1 and np.isfinite(part).all() and (np.abs(part) < far).all():
                    points = [(round(float(x), 1), round(float(y), 1)) for x, y in part]
                    found.append(GridLineAnswer(text, points))
    except UserError:
        return []
    return found


def _with_homography(config: SiteConfig, camera_id: str, matrix: list[list[float]]) -> SiteConfig:
    camera = config.cameras.get(camera_id, CameraConfig())
    changed = camera.model_copy(update={"calibration": CameraCalibration(homography=matrix)})
    return config.model_copy(update={"cameras": {**config.cameras, camera_id: changed}})
