"""Reads a run directory: finished, still growing, or left by a killed run."""

import math
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from pipeline.errors import UserError
from pipeline.run_directory.progress import read_cameras
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, CameraRecord
from pipeline.run_directory.segments import read_segments

_IDENTITY_COLUMNS = ("global_id", "confidence", "state")
_UNKNOWN = pl.lit("unknown")


@dataclass(frozen=True, slots=True, init=False)
class RunDirectory:
    """A run directory on disk.

    Raises UserError when ``path`` is not a run directory; the methods raise it when a file is
    damaged.
    """

    path: Path

    def __init__(self, path: str | Path) -> None:
        object.__setattr__(self, "path", Path(path))
        if not (self.path / "config.yaml").is_file():
            raise UserError(
                f"{self.path} is not a run directory: it has no config.yaml. "
                "Expected the folder printed by `fusetrack run`"
            )

    def config(self) -> dict[str, object]:
        """The resolved configuration of the run, as plain values."""
        path = self.path / "config.yaml"
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            loaded = None
        if not isinstance(loaded, dict):
            raise UserError(f"{path} is damaged: expected a configuration written by fusetrack")
        return loaded

    def cameras(self) -> list[CameraRecord]:
        """The cameras by name; empty before the first segment is closed."""
        return read_cameras(self.path)

    def observations(self) -> pl.DataFrame:
        """All observations with their ``camera_id``, ordered by camera, frame and track."""
        root = self.path / "observations"
        parts = [_observations_of(folder) for folder in sorted(root.glob("camera=*"))]
        empty = _frame(OBSERVATIONS.empty_table()).with_columns(camera_id=pl.lit(""))
        return (
            pl.concat([empty, *parts])
            .select("camera_id", pl.exclude("camera_id"))
            .sort("camera_id", "frame_index", "track_id")
        )

    def tracklets(self) -> pl.DataFrame:
        """All closed tracks, ordered by camera and track."""
        table = read_segments(self.path / "tracklets", TRACKLETS)
        return _frame(table).sort("camera_id", "track_id")

    def events(self) -> pl.DataFrame:
        """The identity event log, oldest first."""
        return _frame(read_segments(self.path / "identities", IDENTITIES))

    def identities(self) -> pl.DataFrame:
        """Current identities: the last event of each part of a track, ordered by camera, track and
        ``since``.

        Most tracks have a single part, with ``since`` -inf.
        """
        part = ["camera_id", "track_id", "since"]
        return (
            self.events()
            .with_columns(pl.col("since").fill_null(-math.inf))
            .unique(part, keep="last", maintain_order=True)
            .sort(part)
        )

    def trajectories(self) -> pl.DataFrame:
        """The result: observations joined with identities.

        Columns: camera_id, frame_index, timestamp, track_id, global_id, confidence, state, x1, y1,
        x2, y2, score, ground_x, ground_y; ordered by camera, frame and track. For a track without
        an identity ``global_id`` and ``confidence`` are null and ``state`` is unknown; otherwise
        ``state`` is probable or confirmed. A global id occurs at most once per frame: of several
        boxes with the same id only the one with the highest detection score keeps it.
        """
        joined = (
            self.observations()
            .sort("timestamp")
            .join_asof(
                self.identities().sort("since"),
                left_on="timestamp",
                right_on="since",
                by=["camera_id", "track_id"],
                check_sortedness=False,
            )
        )
        rows = joined.select(
            *("camera_id", "frame_index", "timestamp", "track_id"),
            *_IDENTITY_COLUMNS,
            *("x1", "y1", "x2", "y2", "score", "ground_x", "ground_y"),
        ).sort("camera_id", "frame_index", "track_id")
        per_frame = ("camera_id", "frame_index", "global_id")
        best = pl.col("score").rank("ordinal", descending=True).over(per_frame) == 1
        known = rows.with_columns(
            pl.when(best).then(pl.col(name)).alias(name) for name in _IDENTITY_COLUMNS
        )
        is_known = pl.col("global_id").is_not_null()
        state = pl.when(is_known).then(pl.col("state").fill_null("probable")).otherwise(_UNKNOWN)
        return known.with_columns(state.alias("state"))


def _observations_of(folder: Path) -> pl.DataFrame:
    camera_id = folder.name.removeprefix("camera=")
    return _frame(read_segments(folder, OBSERVATIONS)).with_columns(camera_id=pl.lit(camera_id))


def _frame(table: object) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def people(run: RunDirectory) -> pl.DataFrame:
    """One row per person, ordered by global id.

    Columns: global_id, cameras (names, sorted), tracks, observations, first and last (seconds
    UTC), confidence (mean over observations, as in the report).
    """
    return (
        run.trajectories()
        .filter(pl.col("global_id").is_not_null())
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
