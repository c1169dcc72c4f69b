"""Stays: how long each person was in the view of a camera, in a zone, and on the site."""

from collections.abc import Sequence

import polars as pl

from pipeline.analytics.places import CAMERA, SITE, ZONE, Places, in_zone

#: Columns of stays: ``start`` and ``end`` are seconds UTC.
STAY = pl.Schema(
    {
        "kind": pl.String,
        "place": pl.String,
        "global_id": pl.Int64,
        "start": pl.Float64,
        "end": pl.Float64,
    }
)
_WHO = ["kind", "place", "global_id"]


def stays_in(rows: pl.DataFrame, camera_id: str, places: Places, gap_s: float) -> pl.DataFrame:
    """The stays in some ``rows`` of trajectories of people in a camera, in it and in zones."""
    parts = [_presence(rows, CAMERA, camera_id)]
    for name, zone in places.zones_seen_by(camera_id):
        parts.append(_presence(in_zone(zone, rows), ZONE, name))
    return joined(parts, gap_s)


def _presence(rows: pl.DataFrame, kind: str, place: str) -> pl.DataFrame:
    time = pl.col("timestamp")
    return rows.select(
        kind=pl.lit(kind), place=pl.lit(place), global_id="global_id", start=time, end=time
    )


def joined(stays: Sequence[pl.DataFrame], gap_s: float) -> pl.DataFrame:
    """``stays`` without breaks of at most ``gap_s``; ordered by kind, place, person and time."""
    reached = pl.col("end").cum_max().shift(1).over(_WHO)
    away = (pl.col("start") - reached > gap_s).fill_null(False)
    return (
        pl.concat([STAY.to_frame(), *stays])
        .sort(*_WHO, "start", "end")
        .with_columns(stay=away.cum_sum().over(_WHO))
        .group_by(*_WHO, "stay", maintain_order=True)
        .agg(pl.col("start").min(), pl.col("end").max())
        .drop("stay")
    )


def on_site(stays: pl.DataFrame, site: str, away_s: float) -> pl.DataFrame:
    """The stays on the whole site, from those in cameras; absences over ``away_s`` end one."""
    seen = stays.filter(kind=CAMERA).with_columns(kind=pl.lit(SITE), place=pl.lit(site))
    return joined([seen], away_s)


def dwell_of(stays: pl.DataFrame, zones: Sequence[str]) -> pl.DataFrame:
    """How long people stayed in each of ``zones``, by name.

    Columns: zone, different people, visits, median_s, p95_s (95 % of the visits are not longer,
    interpolated) and longest_s, which are null without a visit.
    """
    seconds = pl.col("end") - pl.col("start")
    found = (
        stays.filter(kind=ZONE)
        .group_by(zone="place")
        .agg(
            people=pl.col("global_id").n_unique().cast(pl.Int64),
            visits=pl.len().cast(pl.Int64),
            median_s=seconds.median(),
            p95_s=seconds.quantile(0.95, "linear"),
            longest_s=seconds.max(),
        )
    )
    names = pl.DataFrame({"zone": sorted(zones)}, {"zone": pl.String})
    return names.join(found, on="zone", how="left", maintain_order="left").with_columns(
        pl.col("people", "visits").fill_null(0)
    )


def people_by_hour(stays: pl.DataFrame) -> pl.DataFrame:
    """How many different people were at each place, in each hour and (hour null) in all.

    Columns: kind, place, hour (UTC), people, visits, and mean and longest seconds of the visits
    that began then.
    """
    hour = pl.from_epoch(pl.col("hour") * 3600)
    first, last = (pl.col("start") // 3600).cast(pl.Int64), (pl.col("end") // 3600).cast(pl.Int64)
    spread = stays.with_columns(hour=pl.int_ranges(first, last + 1), begun=first)
    hours = spread.explode("hour").with_columns(begins=pl.col("hour") == pl.col("begun"))
    alone = stays.with_columns(hour=pl.lit(None, pl.Int64), begins=pl.lit(True))
    rows = pl.concat([alone, hours.select(alone.columns)])
    seconds = (pl.col("end") - pl.col("start")).filter("begins")
    return (
        rows.group_by("kind", "place", "hour")
        .agg(
            people=pl.col("global_id").n_unique().cast(pl.Int64),
            visits=pl.col("begins").sum().cast(pl.Int64),
            mean_s=seconds.mean(),
            longest_s=seconds.max(),
        )
        .sort("kind", "place", "hour", nulls_last=False)
        .with_columns(hour.dt.replace_time_zone("UTC").alias("hour"))
    )


def occupancy(stays: pl.DataFrame, every_s: float) -> pl.DataFrame:
    """How many people were at each place in each span of ``every_s`` seconds.

    Columns: kind, place, start (seconds UTC), mean, most (at one moment), people (different ones);
    ordered by the first three. Spans between the first and last visit of a place are all there.
    """
    if stays.is_empty():
        return _NO_OCCUPANCY.to_frame()
    where = ["kind", "place"]
    first = (pl.col("start") // every_s).cast(pl.Int64)
    last = (pl.col("end") // every_s).cast(pl.Int64)
    spread = stays.with_columns(span=pl.int_ranges(first, last + 1)).explode("span")
    begin = pl.col("span") * float(every_s)
    shared = pl.min_horizontal("end", begin + every_s) - pl.max_horizontal("start", begin)
    counted = spread.group_by(*where, "span").agg(
        mean=shared.sum() / every_s, people=pl.col("global_id").n_unique().cast(pl.Int64)
    )
    spans = (
        counted.group_by(where)
        .agg(span=pl.int_range(pl.col("span").min(), pl.col("span").max() + 1))
        .explode("span")
    )
    return (
        spans.join(counted, on=[*where, "span"], how="left")
        .join(_most(stays, spans, every_s), on=[*where, "span"], how="left")
        .select(
            *where,
            (pl.col("span") * float(every_s)).alias("start"),
            pl.col("mean", "most", "people").fill_null(0),
        )
        .sort(*where, "start")
        .cast(_NO_OCCUPANCY)
    )


_NO_OCCUPANCY = pl.Schema(
    {
        "kind": pl.String,
        "place": pl.String,
        "start": pl.Float64,
        "mean": pl.Float64,
        "most": pl.Int64,
        "people": pl.Int64,
    }
)


def _most(stays: pl.DataFrame, spans: pl.DataFrame, every_s: float) -> pl.DataFrame:
    """The most people at one moment of each span; who leaves in a moment is still there in it."""
    where = ["kind", "place"]
    come = stays.select(*where, time="start", step=pl.lit(1, pl.Int64))
    go = stays.select(*where, time="end", step=pl.lit(-1, pl.Int64))
    levels = (
        pl.concat([come, go])
        .sort(*where, "time", "step", descending=[False, False, False, True])
        .with_columns(level=pl.col("step").cum_sum().over(where))
    )
    within = levels.group_by(*where, span=(pl.col("time") // every_s).cast(pl.Int64)).agg(
        most=pl.col("level").max()
    )
    # What is there when a span begins counts in it, also when no person comes or goes.
    held = spans.select(*where, "span", time=pl.col("span") * float(every_s)).sort("time")
    held = held.join_asof(
        levels.select(*where, "time", "level").sort("time", maintain_order=True),
        on="time",
        by=where,
        allow_exact_matches=False,
        check_sortedness=False,
    )
    both = held.join(within, on=[*where, "span"], how="left")
    return both.select(*where, "span", most=pl.max_horizontal("level", "most"))
