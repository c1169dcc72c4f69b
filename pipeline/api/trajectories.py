"""Who was where in a span of time, from memory where it goes back far enough, else the archive."""

import math
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from pipeline.api.recent_people import RecentRows
from pipeline.api.shown import ShownSite
from pipeline.run_directory.reader import RunDirectory


def rows_between(site: ShownSite, since: float, until: float) -> Iterator[pl.DataFrame]:
    """Observations with a ``global_id`` from ``since`` to before ``until``, seconds UTC, in parts.

    Columns: those of a run directory's observations, with camera_id and global_id.
    """
    recent, archive = site.recent_rows(), site.archive
    if archive is None or _oldest(recent) <= since:
        yield from _named(recent, since, until)
        return
    first, last = archive.selection.clipped(since, until)
    if first >= last or not (archive.folder / "config.yaml").is_file():
        return
    run = RunDirectory(archive.folder, replace(archive.selection, since=first, until=last))
    for camera_id in run.observed():
        for rows in run.chunks(camera_id):
            yield rows.filter(pl.col("global_id").is_not_null())


def _oldest(recent: RecentRows) -> float:
    times = (rows["timestamp"].min() for rows in recent.rows)
    return min((float(str(time)) for time in times if time is not None), default=math.inf)


def _named(recent: RecentRows, since: float, until: float) -> Iterator[pl.DataFrame]:
    track = ["camera_id", "track_id"]
    parts = recent.parts.select(*track, "since", "global_id").sort("since")
    within = (pl.col("timestamp") >= since) & (pl.col("timestamp") < until)
    for rows in recent.rows:
        named = (
            rows.filter(within)
            .sort("timestamp")
            .join_asof(
                parts,
                left_on="timestamp",
                right_on="since",
                by=track,
                check_sortedness=False,
            )
        )
        yield named.filter(pl.col("global_id").is_not_null())
