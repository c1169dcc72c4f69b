"""GeoJSON (RFC 7946): one feature per person, the path of the feet on the ground.

Positions of several cameras at the same timestamp are averaged. The geometry is a LineString; a
MultiLineString if the person was absent for more than ``GAP_S``, so that no line bridges an
absence (a part with a single position repeats it); a Point if there is only one position.
Properties: global_id, cameras, start and end (seconds UTC), confidence (the minimum over its
tracks), and the name of a person who was given one.

Positions are longitude and latitude (WGS 84), computed from the ``origin`` in the configuration in
the tangent plane of the ellipsoid: accurate to centimetres over a few hundred metres. Without an
origin there is no GeoJSON: every program would take metres for degrees.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import cos, inf, nextafter, radians, sin, sqrt
from typing import Any

import msgspec
import polars as pl

from pipeline.config.load import check_config
from pipeline.config.schema import GroundOrigin
from pipeline.errors import UserError
from pipeline.exports.rows import Omitted, batches, chunks_of
from pipeline.run_directory.corrections import names_in
from pipeline.run_directory.reader import RunDirectory

GAP_S = 10.0
# Positions of people that are written together.
_BATCH_ROWS = 200_000

_EQUATOR_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014

Moment = tuple[float, float, float]  # timestamp, x, y
Position = tuple[float, float]


def geojson(run: RunDirectory) -> Iterator[bytes]:
    """The JSON document.

    Raises UserError when no camera of the run is calibrated, or the site has no ``origin``.
    """
    empty = run.observed_span()[0] == inf
    if not empty and not run.has_ground():
        raise UserError(
            f"{run.path} has no ground positions, which geojson needs. Calibrate the cameras "
            "(`fusetrack calibrate SITE.yaml`) and run again, or export another format"
        )
    origin = None if empty else _origin(run)
    yield b'{"type":"FeatureCollection","features":['
    if origin:
        yield from _all_features(run, origin)
    yield b"]}"


def _all_features(run: RunDirectory, origin: GroundOrigin) -> Iterator[bytes]:
    omitted, comma, names = Omitted("geojson"), b"", names_in(run.path)
    for batch in batches(_people(run, omitted), _BATCH_ROWS):
        features = _features(_rows_of(batch, run), origin, names)
        yield comma + msgspec.json.encode(features)[1:-1]
        comma = b","
    omitted.log()


def _origin(run: RunDirectory) -> GroundOrigin:
    path = run.path / "config.yaml"
    origin = check_config({"origin": run.config().get("origin")}, str(path)).origin
    if origin is None:
        raise UserError(
            f"{run.path} has no origin, so its places are metres and geojson needs degrees. Add "
            f"origin (longitude, latitude, bearing_deg) to the site file, and to {path} for this "
            "run; or export csv or parquet, whose ground_x and ground_y are metres"
        )
    return origin


def _people(run: RunDirectory, omitted: Omitted) -> pl.DataFrame:
    """One row per person with a place: global_id, rows, first and last (seconds UTC)."""
    time = pl.col("timestamp")
    parts = [
        placed.group_by("global_id").agg(rows=pl.len(), first=time.min(), last=time.max())
        for name in run.observed()
        for placed in map(omitted.identified, _placed(run, name))
    ]
    if not parts:
        return pl.DataFrame()
    total = pl.col("rows").sum(), pl.col("first").min(), pl.col("last").max()
    return pl.concat(parts).group_by("global_id").agg(*total).sort("global_id")


def _placed(run: RunDirectory, camera_id: str) -> Iterator[pl.DataFrame]:
    for rows in chunks_of(run, camera_id):
        yield rows.drop_nulls(["ground_x", "ground_y"])


def _rows_of(batch: pl.DataFrame, run: RunDirectory) -> pl.DataFrame:
    first, last = batch.select(pl.col("first").min(), pl.col("last").max()).row(0)
    since, until = run.selection.clipped(first, nextafter(last, inf))
    part = replace(run, selection=replace(run.selection, since=since, until=until))
    rows = [
        placed.join(batch.select("global_id"), on="global_id", how="semi")
        for name in run.observed()
        for placed in _placed(part, name)
    ]
    return pl.concat(rows).sort("global_id", "timestamp", "camera_id", "track_id")


def _features(
    people: pl.DataFrame, origin: GroundOrigin, names: dict[int, str]
) -> list[dict[str, object]]:
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
            "properties": _named(row, names),
            "geometry": _geometry(moments[(row["global_id"],)].rows()),
        }
        for row in properties.iter_rows(named=True)
    ]


def _named(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    name = names.get(row["global_id"])
    return row if name is None else {**row, "name": name}


def _plane(origin: GroundOrigin) -> tuple[pl.Expr, pl.Expr]:
    """Longitude and latitude of ground_x and ground_y."""
    x, y = pl.col("ground_x"), pl.col("ground_y")
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
