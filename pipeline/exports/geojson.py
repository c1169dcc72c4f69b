"""GeoJSON (RFC 7946): one feature per person, the path of the feet on the ground.

Positions of several cameras at the same timestamp are averaged. The geometry is a LineString; a
MultiLineString if the person was absent for more than ``GAP_S``, so that no line bridges an
absence (a part with a single position repeats it); a Point if there is only one position.
Properties: global_id, cameras, start and end (seconds UTC), confidence (the minimum over its
tracks).

With an ``origin`` in the configuration, positions are longitude and latitude (WGS 84), computed in
the tangent plane of the ellipsoid: accurate to centimetres over a few hundred metres. Without one
they are metres in the ground frame of the site, and the collection has the foreign member
``"units": "local metres"``; map programs that ignore it treat the values as degrees.
"""

from itertools import pairwise
from math import cos, radians, sin, sqrt
from typing import Any

import msgspec
import polars as pl

from pipeline.config.load import check_config
from pipeline.config.schema import GroundOrigin
from pipeline.errors import UserError
from pipeline.exports.rows import identified, read_rows
from pipeline.run_directory.reader import RunDirectory

GAP_S = 10.0

_EQUATOR_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014

Moment = tuple[float, float, float]  # timestamp, x, y
Position = tuple[float, float]


def geojson(run: RunDirectory) -> bytes:
    """The JSON document. Raises UserError when no camera of the run is calibrated."""
    rows = read_rows(run)
    placed = rows.drop_nulls(["ground_x", "ground_y"])
    if placed.is_empty() and not rows.is_empty():
        raise UserError(
            f"{run.path} has no ground positions, which geojson needs. Calibrate the cameras "
            "(`fusetrack calibrate SITE.yaml`) and run again, or export another format"
        )
    origin = _origin(run)
    people = identified(placed, "geojson").sort("global_id", "timestamp", "camera_id", "track_id")
    note = {} if origin else {"units": "local metres"}
    return msgspec.json.encode(
        {"type": "FeatureCollection", **note, "features": _features(people, origin)}
    )


def _origin(run: RunDirectory) -> GroundOrigin | None:
    values = {"origin": run.config().get("origin")}
    return check_config(values, str(run.path / "config.yaml")).origin


def _features(people: pl.DataFrame, origin: GroundOrigin | None) -> list[dict[str, object]]:
    x, y = _plane(origin)
    moments = (
        people.group_by("global_id", "timestamp", maintain_order=True)
        .agg(pl.col("ground_x", "ground_y").mean())
        .select("global_id", "timestamp", x.alias("x"), y.alias("y"))
        .partition_by("global_id", as_dict=True, include_key=False)
    )
    properties = people.group_by("global_id", maintain_order=True).agg(
        cameras=pl.col("camera_id").unique().sort(),
        start=pl.col("timestamp").min(),
        end=pl.col("timestamp").max(),
        confidence=pl.col("confidence").min(),
    )
    return [
        {
            "type": "Feature",
            "properties": row,
            "geometry": _geometry(moments[(row["global_id"],)].rows()),
        }
        for row in properties.iter_rows(named=True)
    ]


def _plane(origin: GroundOrigin | None) -> tuple[pl.Expr, pl.Expr]:
    x, y = pl.col("ground_x"), pl.col("ground_y")
    if origin is None:
        return x.round(6), y.round(6)
    bearing, latitude = radians(origin.bearing_deg), radians(origin.latitude)
    east = x * cos(bearing) + y * sin(bearing)
    north = y * cos(bearing) - x * sin(bearing)
    squash = 1 - _ECCENTRICITY_SQUARED * sin(latitude) ** 2
    normal = _EQUATOR_RADIUS / sqrt(squash)
    meridional = normal * (1 - _ECCENTRICITY_SQUARED) / squash
    return (
        (origin.longitude + east / (radians(1) * normal * cos(latitude))).round(9),
        (origin.latitude + north / (radians(1) * meridional)).round(9),
    )


def _geometry(moments: list[Moment]) -> dict[str, Any]:
    if len(moments) == 1:
        return {"type": "Point", "coordinates": moments[0][1:]}
    lines = [line * 2 if len(line) == 1 else line for line in _stretches(moments)]
    if len(lines) == 1:
        return {"type": "LineString", "coordinates": lines[0]}
    return {"type": "MultiLineString", "coordinates": lines}


def _stretches(moments: list[Moment]) -> list[list[Position]]:
    stretches = [[moments[0][1:]]]
    for before, now in pairwise(moments):
        if now[0] - before[0] > GAP_S:
            stretches.append([])
        stretches[-1].append(now[1:])
    return stretches
