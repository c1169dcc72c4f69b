"""Walking speed on the ground, from smoothed positions.

The place of a person trembles with the lower edge of the box, which would add up to a long way. So
the positions of half a second are averaged, over all cameras that see the person, and smoothed over
two and a half seconds.
"""

from collections.abc import Sequence

import polars as pl

#: Seconds over which positions are averaged.
BIN_S = 0.5
# Bins over which the positions are smoothed, and the longest time between two of one way.
_WINDOW, _GAP_S = 5, 2.0

_BINS = pl.Schema(
    {"global_id": pl.Int64, "bin": pl.Int64, "x": pl.Float64, "y": pl.Float64, "n": pl.Int64}
)
#: Columns of speeds: ``distance_m`` is the length of the way, ``mean`` and ``fast`` (what the
#: person did not exceed for 95 % of the time) are metres a second, over ``seconds``.
SPEED = pl.Schema(
    {
        "global_id": pl.Int64,
        "seconds": pl.Float64,
        "distance_m": pl.Float64,
        "mean": pl.Float64,
        "fast": pl.Float64,
    }
)


def binned(rows: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sums of the positions on the ground of each person in each half second."""
    return (
        pl.concat([_BINS.to_frame(), *rows])
        .group_by("global_id", "bin")
        .agg(pl.col("x", "y", "n").sum())
    )


def positions_in(rows: pl.DataFrame) -> pl.DataFrame:
    """`binned` positions of some ``rows`` of trajectories of people."""
    known = rows.filter(pl.col("ground_x").is_not_null() & pl.col("ground_y").is_not_null())
    return binned(
        [
            known.select(
                "global_id",
                bin=(pl.col("timestamp") // BIN_S).cast(pl.Int64),
                x="ground_x",
                y="ground_y",
                n=pl.lit(1, pl.Int64),
            )
        ]
    )


def speeds_of(bins: pl.DataFrame) -> pl.DataFrame:
    """How far and how fast each person walked, ordered by person.

    The first and last second of a way, where there is less to average, does not count; nobody who
    was seen for less than three seconds is in the table.
    """
    who = "global_id"
    ordered = bins.sort(who, "bin").with_columns(
        pl.col("x") / pl.col("n"), pl.col("y") / pl.col("n")
    )
    gap = pl.col("bin").diff().over(who).fill_null(0) * BIN_S > _GAP_S
    parts = ordered.with_columns(part=gap.cum_sum().over(who))
    part = [who, "part"]
    smooth = [
        pl.col(name).rolling_mean(_WINDOW, center=True).over(part).alias(name)
        for name in ("x", "y")
    ]
    steps = parts.with_columns(smooth).with_columns(
        seconds=pl.col("bin").diff().over(part) * BIN_S,
        metres=(pl.col("x").diff().over(part).pow(2) + pl.col("y").diff().over(part).pow(2)).sqrt(),
    )
    rate = pl.col("metres") / pl.col("seconds")
    return (
        steps.filter(pl.col("metres").is_not_null())
        .group_by(who)
        .agg(
            seconds=pl.col("seconds").sum(),
            distance_m=pl.col("metres").sum(),
            mean=pl.col("metres").sum() / pl.col("seconds").sum(),
            fast=rate.quantile(0.95, "linear"),
        )
        .sort(who)
        .cast(SPEED)
    )
