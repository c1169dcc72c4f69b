"""The tracks of a run with their vectors and people, for a search."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.row_groups import RowGroup, read, row_groups
from pipeline.run_directory.schema import TRACKLETS
from pipeline.run_directory.vectors import Matrix, matrices

_TRACK = ["camera_id", "track_id"]
_EVENTS = ("camera_id", "track_id", "since", "global_id")


@dataclass(frozen=True, slots=True)
class Gallery:
    """``tracks`` are the closed tracks of the selected part of a run, with ``index``, the row in
    the matrices of `vectors`; ``owners`` says whose the parts of tracks are.
    """

    run: RunDirectory
    tracks: pl.DataFrame
    owners: pl.DataFrame
    groups: Sequence[RowGroup]

    @property
    def people(self) -> int:
        """How many people the tracks may be of."""
        of_tracks = self.owners.join(self.tracks, on=_TRACK, how="semi")
        return of_tracks["global_id"].n_unique()

    def vectors(self, column: str, width: int) -> Iterator[Matrix]:
        """All vectors ``(n, width)`` of a column, a matrix for each segment."""
        return matrices(self.run.path, self.groups, column, width)

    def owners_of(self, indices: NDArray[np.int64]) -> pl.DataFrame:
        """The people of some tracks: ``index`` and global_id."""
        some = self.tracks.filter(pl.col("index").is_in(indices))
        return (
            some.select(*_TRACK, "index")
            .join(self.owners, on=_TRACK)
            .unique(["index", "global_id"], maintain_order=True)
        )

    def seen(self, global_ids: Sequence[int]) -> pl.DataFrame:
        """The parts of tracks of some people: global_id, camera_id, track_id, start, end and
        ``shared``, whether the track shows others too; by time.
        """
        theirs = self.owners.filter(pl.col("global_id").is_in(list(global_ids)))
        parts = theirs.join(self.tracks, on=_TRACK).with_columns(
            start=pl.max_horizontal("start", "since"), end=pl.min_horizontal("end", "until")
        )
        return parts.sort("start", "camera_id", "track_id")

    def has_pictures(self) -> bool:
        """Whether any track has a thumbnail."""
        return read(self.groups, TRACKLETS, ["thumbnail"])["thumbnail"].null_count() < sum(
            group.rows for group in self.groups
        )

    def pictures(self, parts: pl.DataFrame) -> dict[int, str]:
        """The best thumbnail of each person of `seen`, of tracks that show nobody else."""
        alone = parts.filter(~pl.col("shared"))
        ids = np.unique(alone["track_id"].to_numpy())
        groups = [group for group in self.groups if group.holds_any("track_id", ids)]
        rows = read(groups, TRACKLETS, [*_TRACK, "quality", "thumbnail"])
        kept = rows.drop_nulls("thumbnail").join(
            alone.select(*_TRACK, "global_id").unique(), on=_TRACK
        )
        best = kept.sort("quality", "track_id", descending=[True, False])
        return dict(best.unique("global_id", keep="first").select("global_id", "thumbnail").rows())


def open_gallery(run: RunDirectory) -> Gallery:
    """The gallery of a run, or of what of it is selected. Raises ChangedError and UserError as
    `read`.
    """
    chosen = run.selection
    within = row_groups(
        run.path / "tracklets", start=(-math.inf, chosen.until), end=(chosen.since, math.inf)
    )
    wanted = {group.path for group in within}
    groups = [group for group in row_groups(run.path / "tracklets") if group.path in wanted]
    rows = read(groups, TRACKLETS, [*_TRACK, "start", "end", "model"]).with_row_index("index")
    time = (pl.col("start") < chosen.until) & (pl.col("end") >= chosen.since)
    rows = rows.with_columns(index=pl.col("index").cast(pl.Int64)).filter(time)
    if chosen.cameras is not None:
        rows = rows.filter(pl.col("camera_id").is_in(chosen.cameras))
    return Gallery(run, rows, _owners(run.events(_EVENTS)), groups)


def _owners(events: pl.DataFrame) -> pl.DataFrame:
    """Whose each part of a track is now: camera_id, track_id, global_id, since, until, shared."""
    part = [*_TRACK, "since"]
    current = (
        events.with_columns(pl.col("since").fill_null(-math.inf))
        .unique(part, keep="last", maintain_order=True)
        .sort(part)
    )
    return current.with_columns(
        until=pl.col("since").shift(-1).over(_TRACK).fill_null(math.inf),
        shared=(pl.col("global_id").n_unique().over(_TRACK) > 1),
    )
