"""A run in a few rows: who was seen where, for how long."""

import polars as pl

from pipeline.run_directory.reader import RunDirectory


def people(run: RunDirectory) -> pl.DataFrame:
    """One row a person, by global id.

    Columns: global_id, cameras (names, sorted), tracks, observations, first and last (seconds
    UTC), confidence (mean over observations, as in the report).
    """
    seen = run.trajectories()
    return (
        seen.filter(pl.col("global_id").is_not_null())
        .group_by("global_id")
        .agg(
            cameras=pl.col("camera_id").unique().sort(),
            tracks=pl.struct("camera_id", "track_id").n_unique(),
            observations=pl.len(),
            first=pl.col("timestamp").min(),
            last=pl.col("timestamp").max(),
            confidence=pl.col("confidence").mean(),
        )
        .sort("global_id")
    )
