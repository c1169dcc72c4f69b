"""The map of a site: floor plan, fields of view, zones and lines, trails and a heat map."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import APIRouter, HTTPException, Query, Response
from numpy.typing import NDArray

from pipeline.analytics.speed import BIN_S, binned, positions_in
from pipeline.api.plan import Plan
from pipeline.api.schemas import (
    BoundsAnswer,
    CameraAnswer,
    FieldAnswer,
    HeatAnswer,
    MapAnswer,
    PlaceAnswer,
    PlanAnswer,
    Problem,
    TrailAnswer,
    TrailsAnswer,
)
from pipeline.api.shown import ShownSite
from pipeline.api.trajectories import rows_between
from pipeline.calibration.field import Bounds, field_of_view
from pipeline.config.schema import CameraConfig, LineConfig, SiteConfig, ZoneConfig
from trackers.ground.view import ground_points, ground_to_image

# Without a plan the map reaches so far around what is near each camera, in metres.
_AROUND_M = 15.0
_EDGE_M = 1.0
# Of a span without a beginning or an end.
_DEFAULT_S = 3600.0
_MOST_CELLS = 40_000
_MOST_ID = 2**63 - 1
_WALKED_EVERY_S = 60.0

_Since = Annotated[
    float | None, Query(allow_inf_nan=False, description="Seconds UTC. Default: an hour before.")
]
_Until = Annotated[float | None, Query(allow_inf_nan=False, description="Seconds UTC.")]
_Last = Annotated[float, Query(gt=0, le=3600, description="Seconds before `until`.")]
_Person = Annotated[int | None, Query(ge=1, le=_MOST_ID, description="Of this person alone.")]
_Cell = Annotated[float, Query(ge=0.1, le=10, description="Metres on a side of a cell.")]
_NO_PLAN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "image/jpeg": {}, "image/webp": {}}},
    404: {"model": Problem, "description": "The site has no plan."},
}
_UNFIT: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The cells are too small for where people were."}
}


def add_map(data: APIRouter, site: ShownSite, plan: Plan | None) -> None:
    """Add the endpoints of the map."""
    walked = _Walked(site)

    @data.get("/map")
    def map_of_site() -> MapAnswer:
        """The floor plan, what each calibrated camera sees of the ground, zones and lines."""
        cameras = site.cameras()
        bounds = (
            plan.bounds() if plan is not None else _bounds(site.config, cameras, walked.extent())
        )
        return MapAnswer(
            plan=None if plan is None else _plan(plan),
            bounds=None if bounds is None else BoundsAnswer(*bounds),
            cameras=[] if bounds is None else list(_fields(site.config, cameras, bounds)),
            zones=list(_places(site.config, site.config.zones)),
            lines=list(_places(site.config, site.config.lines)),
        )

    @data.get("/plan", responses=_NO_PLAN, response_class=Response)
    def picture() -> Response:
        """The picture of the floor plan."""
        if plan is None:
            raise HTTPException(404, "there is no plan: expected `plan` in the site file")
        return Response(plan.content, media_type=plan.media_type)

    @data.get("/map/trails")
    def trails(
        until: _Until = None, last_s: _Last = 30.0, global_id: _Person = None
    ) -> TrailsAnswer:
        """Where people walked on the ground in some seconds before `until`, by default before now.

        Positions are means of half a second over all cameras that see the person.
        """
        end = site.now() if until is None else until
        if end is None:
            return TrailsAnswer(None, [])
        # The row of the moment itself counts.
        bins = _positions(site, end - last_s, math.nextafter(end, math.inf))
        if global_id is not None:
            bins = bins.filter(pl.col("global_id") == global_id)
        return TrailsAnswer(end, list(_trails(bins)))

    @data.get("/map/heat", responses=_UNFIT)
    def heat(since: _Since = None, until: _Until = None, cell_m: _Cell = 0.5) -> HeatAnswer:
        """How long people were in each cell of the ground, in seconds of one person.

        `seconds` are rows from low to high y, each from left to right x.
        """
        end = site.now() if until is None else until
        if end is None:
            return HeatAnswer(None, None, cell_m, None, None, [])
        return heat_between(site, end - _DEFAULT_S if since is None else since, end, cell_m)


def heat_between(site: ShownSite, since: float, until: float, cell_m: float) -> HeatAnswer:
    """How long people were in each cell of the ground between two times, seconds UTC.

    Raises HTTPException where the cells are too small for where people were.
    """
    bins = _positions(site, since, math.nextafter(until, math.inf))
    return HeatAnswer(since, until, cell_m, *_heat(bins, cell_m))


def _plan(plan: Plan) -> PlanAnswer:
    return PlanAnswer("/plan", plan.width, plan.height, plan.to_ground.tolist())


def _calibrated(
    config: SiteConfig, cameras: Sequence[CameraAnswer]
) -> Iterator[tuple[CameraAnswer, NDArray[np.float64], CameraConfig]]:
    """The cameras of which calibration and picture size are known, with their homography."""
    for camera in cameras:
        known = config.cameras.get(camera.id)
        view = None if known is None else known.view
        if known is not None and view is not None and camera.width and camera.height:
            yield camera, ground_to_image(view.projection), known


class _Walked:
    """Where people were in the last hour, looked up once a minute of the site's time."""

    def __init__(self, site: ShownSite) -> None:
        self._site = site
        self._at = -math.inf
        self._extent: Bounds | None = None

    def extent(self) -> Bounds | None:
        """Left, low, right and high, without the few who were far away; None for nobody."""
        now = self._site.now()
        if now is None:
            return None
        if self._extent is None or abs(now - self._at) >= _WALKED_EVERY_S:
            bins = _positions(self._site, now - _DEFAULT_S, math.nextafter(now, math.inf))
            ends = [bins.select(pl.col("x", "y").quantile(q)).row(0) for q in (0.005, 0.995)]
            self._extent = None if bins.is_empty() else (*ends[0], *ends[1])
            self._at = now
        return self._extent


def _bounds(
    config: SiteConfig, cameras: Sequence[CameraAnswer], walked: Bounds | None
) -> Bounds | None:
    """The ground to show where there is no plan: where people were, as far as cameras see near
    them (or all of that, before there are people), the cameras, and all zones and lines.
    """
    points: list[tuple[float, float]] = []
    for camera, homography, known in _calibrated(config, cameras):
        size = camera.width, camera.height
        for x, y in _nearest(camera, homography):
            around = x - _AROUND_M, y - _AROUND_M, x + _AROUND_M, y + _AROUND_M
            seen = field_of_view(homography, size, around)
            points += _pairs(seen if walked is None else np.clip(seen, walked[:2], walked[2:]))
        points += _eye(known)
    shapes: list[ZoneConfig | LineConfig] = [*config.zones.values(), *config.lines.values()]
    for shape in shapes:
        points += shape.points if shape.camera is None else []
    if not points:
        return walked
    (left, low), (right, high) = np.min(points, axis=0) - _EDGE_M, np.max(points, axis=0) + _EDGE_M
    return float(left), float(low), float(right), float(high)


def _nearest(camera: CameraAnswer, homography: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The ground in the middle of the lower edge of a camera's picture, if that sees any."""
    bottom = np.array([[camera.width / 2, camera.height]], np.float64)
    found = ground_points(bottom, homography)
    return _pairs(found[np.isfinite(found).all(axis=1)])


def _eye(camera: CameraConfig) -> list[tuple[float, float]]:
    """Where a camera is, if that is known."""
    view = camera.view
    return _pairs(view.eye[None, :2]) if view is not None and view.sees_height else []


def _fields(
    config: SiteConfig, cameras: Sequence[CameraAnswer], bounds: Bounds
) -> Iterator[FieldAnswer]:
    for camera, homography, known in _calibrated(config, cameras):
        field = field_of_view(homography, (camera.width, camera.height), bounds)
        eye = next(iter(_eye(known)), None)
        stands = [at for at in (eye, *_nearest(camera, homography)) if at and _within(at, bounds)]
        yield FieldAnswer(camera.id, _pairs(field), eye, next(iter(stands), None))


def _within(point: tuple[float, float], bounds: Bounds) -> bool:
    left, low, right, high = bounds
    return left <= point[0] <= right and low <= point[1] <= high


def _places(
    config: SiteConfig, shapes: dict[str, ZoneConfig] | dict[str, LineConfig]
) -> Iterator[PlaceAnswer]:
    """Those of zones or lines that lie on the ground, or in the picture of a calibrated camera."""
    for name, shape in shapes.items():
        points = np.array(shape.points, np.float64)
        if shape.camera is not None:
            camera = config.cameras.get(shape.camera)
            view = None if camera is None else camera.view
            if view is None:
                continue
            points = ground_points(points, ground_to_image(view.projection))
        if np.isfinite(points).all():
            yield PlaceAnswer(name, shape.camera, _pairs(points))


def _pairs(points: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _positions(site: ShownSite, since: float, until: float) -> pl.DataFrame:
    """Mean positions of people: global_id, bin, x, y."""
    found: list[pl.DataFrame] = []
    for rows in rows_between(site, since, until):
        found = [binned([*found, positions_in(rows)])]
    n = pl.col("n")
    return binned(found).select("global_id", "bin", x=pl.col("x") / n, y=pl.col("y") / n)


def _trails(bins: pl.DataFrame) -> Iterator[TrailAnswer]:
    moment = ((pl.col("bin") + 0.5) * BIN_S).alias("moment")
    ordered = bins.sort("global_id", "bin").with_columns(moment)
    for (global_id,), rows in ordered.group_by("global_id", maintain_order=True):
        points = rows.select("moment", "x", "y").rows()
        yield TrailAnswer(int(str(global_id)), points)


def _heat(
    bins: pl.DataFrame, cell_m: float
) -> tuple[float | None, float | None, list[list[float]]]:
    """The least x and y of the grid, and the seconds in each cell, row by row."""
    if bins.is_empty():
        return None, None, []
    cells = np.floor(bins.select("x", "y").to_numpy() / cell_m).astype(np.int64)
    first, last = cells.min(axis=0), cells.max(axis=0)
    columns, rows = (int(number) for number in last - first + 1)
    if columns * rows > _MOST_CELLS:
        raise HTTPException(
            400,
            f"the people were on {columns * cell_m:.0f} by {rows * cell_m:.0f} m: expected cells "
            f"larger than cell_m={cell_m:g}",
        )
    counts = np.zeros((rows, columns))
    np.add.at(counts, tuple((cells - first)[:, ::-1].T), BIN_S)
    return float(first[0] * cell_m), float(first[1] * cell_m), counts.tolist()
