"""Who went from where to where: from the place that saw a person last to the next one."""

import polars as pl

from pipeline.analytics.places import SITE

#: Columns of transitions: ``left`` and ``entered`` are seconds UTC, ``seconds`` is the time on the
#: way, 0 where both places saw the person at once, for ``overlap_s``.
TRANSITION = pl.Schema(
    {
        "kind": pl.String,
        "global_id": pl.Int64,
        "origin": pl.String,
        "destination": pl.String,
        "left": pl.Float64,
        "entered": pl.Float64,
        "seconds": pl.Float64,
        "overlap_s": pl.Float64,
    }
)


def transitions_of(stays: pl.DataFrame) -> pl.DataFrame:
    """The transitions between cameras, and those between zones, ordered by kind, person and time.

    Views may overlap: then the origin is the place that goes on seeing the person longest of those
    that did before.
    """
    who = ["kind", "global_id"]
    reached = pl.col("end").cum_max().over(who)
    last_seen = pl.when(pl.col("end") == reached).then("place").forward_fill().over(who)
    ordered = stays.filter(pl.col("kind") != SITE).sort(*who, "start", "end", "place")
    before = ordered.with_columns(reached=reached, last_seen=last_seen).with_columns(
        origin=pl.col("last_seen").shift(1).over(who), left=pl.col("reached").shift(1).over(who)
    )
    gap = pl.col("start") - pl.col("left")
    both = pl.min_horizontal("left", "end") - pl.col("start")
    return (
        before.filter(pl.col("origin").is_not_null() & (pl.col("origin") != pl.col("place")))
        .select(
            *who,
            "origin",
            destination="place",
            left="left",
            entered="start",
            seconds=pl.max_horizontal(gap, 0.0),
            overlap_s=pl.max_horizontal(both, 0.0),
        )
        .cast(TRANSITION)
    )


def flow(transitions: pl.DataFrame) -> pl.DataFrame:
    """How many went from where to where: kind, origin, destination, times, people, median_s and
    the share of them of overlapping views; the most frequent first."""
    return (
        transitions.group_by("kind", "origin", "destination")
        .agg(
            times=pl.len().cast(pl.Int64),
            people=pl.col("global_id").n_unique().cast(pl.Int64),
            median_s=pl.col("seconds").median(),
            overlapping=(pl.col("overlap_s") > 0).mean(),
        )
        .sort("kind", "times", "origin", "destination", descending=[False, True, False, False])
    )
