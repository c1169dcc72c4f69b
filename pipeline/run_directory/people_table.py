"""What `fusetrack summary` says about people: one row for each."""

from collections.abc import Sequence

import polars as pl

from pipeline.run_directory.corrections import names_in
from pipeline.run_directory.reader import RunDirectory, no_trajectories

_TRACK = ["global_id", "camera_id", "track_id", "confidence"]


def people(run: RunDirectory) -> pl.DataFrame:
    """One row per person, ordered by global id.

    Columns: global_id, name (null without one), cameras (names, sorted), tracks, observations,
    first and last (seconds UTC), confidence (mean over observations, as in the report).
    """
    names = names_in(run.path)
    named = pl.col("global_id").replace_strict(names, default=None, return_dtype=pl.String)
    return (
        tracks_of_people(run)
        .group_by("global_id")
        .agg(
            cameras=pl.col("camera_id").unique().sort(),
            tracks=pl.struct("camera_id", "track_id").n_unique(),
            observations=pl.col("observations").sum(),
            first=pl.col("first").min(),
            last=pl.col("last").max(),
            confidence=mean_confidence(),
        )
        .sort("global_id")
        .select("global_id", named.alias("name"), pl.all().exclude("global_id"))
    )


def mean_confidence() -> pl.Expr:
    """The mean confidence over the observations of rows of `tracks_of_people`."""
    confidence, count = pl.col("confidence").cast(pl.Float64), pl.col("observations")
    return (confidence * count).sum() / count.sum()


def tracks_of_people(run: RunDirectory) -> pl.DataFrame:
    """The parts of tracks of people: global_id, camera_id, track_id, confidence, observations,
    first and last (seconds UTC), and how many observations are ``confirmed``; ordered by the first
    four.

    The sums do not depend on how the rows are divided among segments.
    """
    parts = [tracks_in(rows) for name in run.observed() for rows in run.chunks(name)]
    return joined_tracks([tracks_in(no_trajectories()), *parts])


def tracks_in(rows: pl.DataFrame) -> pl.DataFrame:
    """The parts of tracks of people within some ``rows`` of trajectories."""
    time = pl.col("timestamp")
    return (
        rows.filter(pl.col("global_id").is_not_null())
        .group_by(_TRACK)
        .agg(
            observations=pl.len().cast(pl.Int64),
            first=time.min(),
            last=time.max(),
            confirmed=(pl.col("state") == "confirmed").sum().cast(pl.Int64),
        )
    )


def joined_tracks(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """``parts`` of `tracks_in`, added up; ordered."""
    times = pl.col("first").min(), pl.col("last").max()
    counts = pl.col("observations").sum(), *times, pl.col("confirmed").sum()
    return pl.concat(parts).group_by(_TRACK).agg(*counts).sort(_TRACK)
