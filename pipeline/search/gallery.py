"""The tracks of a run with their vectors and people, for a search."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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
        """How many people the selected part of the run has."""
        if self.run.selection.is_everything:
            return self.owners["global_id"].n_unique()
        of_tracks = self.owners.join(self.tracks, on=_TRACK, how="semi")
        return of_tracks["global_id"].n_unique()

    def vectors(self, column: str, width: int) -> Iterator[Matrix]:
        """All vectors ``(n, width)`` of a column, a matrix for each segment."""
        return matrices(self.run.path, self.groups, column, width)

    def owners_of(self, indices: NDArray[np.int64]) -> pl.DataFrame:
        """The people of some tracks: ``index`` and global_id."""
        some = self.tracks.join(pl.DataFrame({"index": indices}), on="index", how="semi")
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
        tracks = self.tracks.join(theirs, on=_TRACK, how="semi")
        owned = self.owners.join(tracks, on=_TRACK, how="semi").with_columns(
            shared=pl.col("global_id").n_unique().over(_TRACK) > 1
        )
        parts = owned.join(theirs, on=[*_TRACK, "since"], how="semi").join(tracks, on=_TRACK)
        parts = parts.with_columns(
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
    """The gallery of a run, or of what of it is selected; the last one is kept.

    Raises ChangedError and UserError as `read`.
    """
    folders = (run.path / "tracklets", run.path / "identities")
    groups = [group for folder in folders for group in row_groups(folder)]
    return _opened(run, tuple((group.path, group.version) for group in groups))


@lru_cache(maxsize=1)
def _opened(run: RunDirectory, versions: tuple[tuple[Path, tuple[int, int]], ...]) -> Gallery:
    """The gallery of segments in these versions."""
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
    """Whose each part of a track is now: camera_id, track_id, global_id, since, until."""
    # Numbers are compared many times as fast as text.
    numbered = events.with_columns(
        pl.col("since").fill_null(-math.inf),
        camera=pl.col("camera_id").cast(pl.Categorical).to_physical(),
    )
    part = ["camera", "track_id", "since"]
    current = numbered.unique(part, keep="last", maintain_order=True).sort(part)
    same = (pl.col("camera") == pl.col("camera").shift(-1)) & (
        pl.col("track_id") == pl.col("track_id").shift(-1)
    )
    return current.with_columns(
        until=pl.when(same).then(pl.col("since").shift(-1)).otherwise(math.inf)
    ).drop("camera")
