"""The zones and lines of a site, checked against its cameras, and who is in a zone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.areas import inside, is_outside
from pipeline.config.schema import LineConfig, SiteConfig, ZoneConfig
from pipeline.errors import UserError

#: The kinds of places: the view of a camera, a zone, and the whole site.
CAMERA, ZONE, SITE = "camera", "zone", "site"

#: Where a person stands, in pixels: the middle of the lower edge of the box.
FOOT_X, FOOT_Y = (pl.col("x1") + pl.col("x2")) / 2, pl.col("y2")


@dataclass(frozen=True, slots=True)
class Places:
    """The zones and lines of a site, by name."""

    zones: Mapping[str, ZoneConfig]
    lines: Mapping[str, LineConfig]

    def zones_seen_by(self, camera_id: str) -> Iterator[tuple[str, ZoneConfig]]:
        """The zones in the picture of a camera and those on the ground."""
        return ((n, zone) for n, zone in self.zones.items() if zone.camera in (None, camera_id))

    def lines_seen_by(self, camera_id: str) -> Iterator[tuple[str, LineConfig]]:
        """The lines in the picture of a camera and those on the ground."""
        return ((n, line) for n, line in self.lines.items() if line.camera in (None, camera_id))

    def any_seen_by(self, camera_id: str) -> bool:
        """Whether a zone or a line is in the picture of a camera or on the ground."""
        zones, lines = self.zones_seen_by(camera_id), self.lines_seen_by(camera_id)
        return any(True for _ in zones) or any(True for _ in lines)

    def on_ground(self) -> bool:
        """Whether any zone or line is on the ground."""
        zones = any(zone.camera is None for zone in self.zones.values())
        return zones or any(line.camera is None for line in self.lines.values())


def check_places(places: Places, sizes: Mapping[str, tuple[int, int]], *, calibrated: bool) -> None:
    """Raise UserError for a zone or line of an unknown camera, outside its picture, or on the
    ground where no camera is ``calibrated``.

    ``sizes`` are width and height of the picture of each camera, pixels; 0 where unknown.
    """
    for kind, shapes in (("zones", places.zones), ("lines", places.lines)):
        for name, shape in shapes.items():
            if shape.camera is None:
                if not calibrated:
                    raise UserError(
                        f"{kind}.{name} is on the ground, and no camera is calibrated: give its "
                        "camera and points in pixels, or calibrate a camera"
                    )
            elif shape.camera not in sizes:
                raise UserError(
                    f"{kind}.{name} names camera {shape.camera}, which the site does not have: "
                    f"expected one of {', '.join(sizes) or 'none'}"
                )
            elif all(sizes[shape.camera]) and is_outside(shape.points, *sizes[shape.camera]):
                width, height = sizes[shape.camera]
                raise UserError(
                    f"{kind}.{name} is outside the picture of camera {shape.camera}: expected "
                    f"points from 0, 0 to {width}, {height}"
                )


def check_places_of(config: SiteConfig, sizes: Mapping[str, tuple[int, int]]) -> None:
    """As `check_places`, for the cameras of ``config`` and those of which ``sizes`` are known."""
    sizes = dict.fromkeys(config.cameras, (0, 0)) | dict(sizes)
    calibrated = any(camera.calibration is not None for camera in config.cameras.values())
    check_places(Places(config.zones, config.lines), sizes, calibrated=calibrated)


def in_zone(zone: ZoneConfig, rows: pl.DataFrame) -> pl.DataFrame:
    """Those of ``rows`` of trajectories of which the person stands in ``zone``."""
    return rows.filter(pl.Series(inside(zone.points, *standing(zone, rows))))


def standing(
    shape: ZoneConfig | LineConfig, rows: pl.DataFrame
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Where people stand in the coordinates of ``shape``: x and y ``(N,)``; NaN is unknown."""
    if shape.camera is None:
        x, y = pl.col("ground_x").fill_null(np.nan), pl.col("ground_y").fill_null(np.nan)
    else:
        x, y = FOOT_X, FOOT_Y
    found = rows.select(x=x.cast(pl.Float64), y=y.cast(pl.Float64))
    return found["x"].to_numpy(), found["y"].to_numpy()
