"""Reads a growing run directory for the live API: only the row groups that a query needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.api.recent_people import PART_COLUMNS, TRACK_COLUMNS, RecentRows
from pipeline.api.schemas import IdentityAnswer, PathAnswer, PointAnswer, StayAnswer
from pipeline.run_directory.layout import observation_folders
from pipeline.run_directory.progress import read_cameras, read_progress
from pipeline.run_directory.row_groups import RowGroup, read, row_groups
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, CameraRecord
from pipeline.run_directory.selection import EVERYTHING, Selection

# No track stays open for longer than this.
_LONGEST_TRACK_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Archive:
    """A run directory that may not exist yet and may grow or shrink, or a selection of it."""

    folder: Path
    selection: Selection = EVERYTHING

    def run(self) -> str:
        """The name of its run, empty while there is none."""
        return read_progress(self.folder).run

    def cameras(self) -> list[CameraRecord]:
        """The last written state of each camera."""
        return [c for c in read_cameras(self.folder) if self.selection.has(c.camera_id)]

    def recent(self, since: float) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Parts and tracks, see `recent_people`, that may still matter at ``since``, seconds UTC.

        The parts of tracks that are open then are among them.
        """
        since -= _LONGEST_TRACK_S
        parts = row_groups(self.folder / "identities", at=(since, math.inf))
        tracks = row_groups(self.folder / "tracklets", end=(since, math.inf))
        return _parts(self._read(parts, IDENTITIES)), self._read(
            tracks, TRACKLETS, tuple(TRACK_COLUMNS)
        )

    def tracks_with(self, global_id: int) -> pl.DataFrame:
        """The tracks, camera_id and track_id, of which a part ever had this global id."""
        groups = row_groups(self.folder / "identities", global_id=(global_id, global_id))
        found = [_keys_with(group, global_id) for group in groups]
        return pl.concat([_no_keys(), *found]).unique(maintain_order=True)

    def parts_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Identities of the parts of these tracks, see `PART_COLUMNS`; later rows override."""
        return _parts(self._of_tracks("identities", IDENTITIES, tuple(PART_COLUMNS), keys))

    def tracks_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Start and end of those of these tracks that are closed, see `TRACK_COLUMNS`."""
        return self._of_tracks("tracklets", TRACKLETS, tuple(TRACK_COLUMNS), keys)

    def thumbnails_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The pictures of those of these tracks that have one: `TRACK_COLUMNS`, quality, and the
        path of the thumbnail in the run directory.
        """
        columns = (*TRACK_COLUMNS, "quality", "thumbnail")
        found = self._of_tracks("tracklets", TRACKLETS, columns, keys)
        found = found.filter(pl.col("thumbnail").is_not_null())
        # A later row is that of a track that went on.
        return found.unique(_TRACK, keep="last", maintain_order=True)

    def pages(self, stays: pl.DataFrame, since: float, until: float) -> list["Page"]:
        """The row groups that may have observations of ``stays`` between two times, seconds UTC,
        by their start.
        """
        folders = observation_folders(self.folder)
        since, until = self.selection.clipped(since, until)
        found: list[Page] = []
        for (camera_id,), of_camera in stays.group_by("camera_id"):
            name = str(camera_id)
            if name in folders and self.selection.has(name):
                within = _Spans.of(of_camera, since, until)
                groups = row_groups(folders[name], timestamp=(since, until))
                found += [Page(name, group) for group in groups if within.may_be_in(group)]
        return sorted(found, key=lambda page: page.start)

    def _of_tracks(
        self, name: str, schema: pa.Schema, columns: tuple[str, ...], keys: pl.DataFrame
    ) -> pl.DataFrame:
        if keys.is_empty():
            return read([], schema, columns)
        ids = np.sort(keys["track_id"].to_numpy())
        cameras = str(keys["camera_id"].min()), str(keys["camera_id"].max())
        limits = int(ids[0]), int(ids[-1])
        groups = row_groups(self.folder / name, camera_id=cameras, track_id=limits)
        rows = [
            self._read([group], schema, columns).join(keys, on=_TRACK, how="semi")
            for group in groups
            if group.holds_any("track_id", ids)
        ]
        return pl.concat([read([], schema, columns), *rows])

    def _read(
        self,
        groups: list[RowGroup],
        schema: pa.Schema,
        columns: tuple[str, ...] = tuple(PART_COLUMNS),
    ) -> pl.DataFrame:
        rows, cameras = read(groups, schema, columns), self.selection.cameras
        return rows if cameras is None else rows.filter(pl.col("camera_id").is_in(cameras))


@dataclass(frozen=True, slots=True)
class Page:
    """A row group of observations of one camera."""

    camera_id: str
    group: RowGroup

    @property
    def start(self) -> float:
        """The time of its first row, seconds UTC."""
        return float(self.group.ranges.get("timestamp", (-math.inf, 0.0))[0])

    def rows(self, track_ids: pl.Series) -> pl.DataFrame:
        """Its observations of these tracks."""
        rows = read([self.group], OBSERVATIONS, [c for c in _empty().columns if c != "camera_id"])
        wanted = rows.filter(pl.col("track_id").is_in(track_ids.implode()))
        return wanted.with_columns(camera_id=pl.lit(self.camera_id)).select(_empty().columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Spans:
    """The tracks of stays in one camera and the times that they can be at, arrays ``(N,)``."""

    track_ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @staticmethod
    def of(stays: pl.DataFrame, since: float, until: float) -> "_Spans":
        return _Spans(
            stays["track_id"].to_numpy(),
            np.maximum(stays["start"].fill_null(-math.inf).to_numpy(), since),
            np.minimum(stays["end"].fill_null(math.inf).to_numpy(), until),
        )

    def may_be_in(self, group: RowGroup) -> bool:
        everything = -math.inf, math.inf
        first, last = group.ranges.get("track_id", everything)
        start, end = group.ranges.get("timestamp", everything)
        of_track = (self.track_ids >= first) & (self.track_ids <= last)
        return bool((of_track & (self.starts <= end) & (self.ends >= start)).any())


def _parts(events: pl.DataFrame) -> pl.DataFrame:
    since = pl.col("since").fill_null(-math.inf)
    return events.with_columns(since, pl.col("confidence").cast(pl.Float64)).select(
        list(PART_COLUMNS)
    )


def _keys_with(group: RowGroup, global_id: int) -> pl.DataFrame:
    rows = read([group], IDENTITIES, ["global_id"])
    if not (rows["global_id"] == global_id).any():
        return _no_keys()
    rows = read([group], IDENTITIES, ["global_id", *_TRACK])
    return rows.filter(pl.col("global_id") == global_id).select(_TRACK)


def _no_keys() -> pl.DataFrame:
    return pl.DataFrame(schema={"camera_id": pl.String, "track_id": pl.Int64})


_TRACK = ["camera_id", "track_id"]
_FRAME = ["camera_id", "frame_index"]


def stays_of(global_id: int, recent: RecentRows, archive: Archive | None) -> pl.DataFrame:
    """The parts of tracks with this global id, ordered by time; empty for an unknown id.

    Columns: camera_id, track_id, start, end (null where unknown), since, until (infinite at the
    two ends of a track), confidence.
    """
    parts, tracks = [recent.parts], [recent.tracks]
    if archive is not None:
        keys = recent.parts.filter(pl.col("global_id") == global_id).select(_TRACK)
        keys = pl.concat([archive.tracks_with(global_id), keys]).unique()
        # Later rows override, and recent rows are newer than the archive.
        parts = [archive.parts_of(keys), *parts]
        tracks = [archive.tracks_of(keys), *tracks]
    known = pl.concat(tracks).group_by(_TRACK).agg(pl.col("start").min(), pl.col("end").max())
    return (
        pl.concat(parts)
        .unique([*_TRACK, "since"], keep="last", maintain_order=True)
        .sort(*_TRACK, "since")
        .with_columns(until=pl.col("since").shift(-1).over(_TRACK).fill_null(math.inf))
        .filter(pl.col("global_id") == global_id)
        .join(known, on=_TRACK, how="left")
        .with_columns(
            start=pl.when(pl.col("start").is_not_null()).then(pl.max_horizontal("start", "since")),
            end=pl.when(pl.col("end").is_not_null()).then(pl.min_horizontal("end", "until")),
        )
        .sort("start", *_TRACK, nulls_last=True)
    )


def tracks_of_one(archive: Archive, global_id: int) -> pl.DataFrame:
    """The tracks, camera_id and track_id, that show this person alone."""
    parts = archive.parts_of(archive.tracks_with(global_id))
    shown = parts.unique([*_TRACK, "since"], keep="last", maintain_order=True)
    is_other = (pl.col("global_id") != global_id).any().over(_TRACK)
    return shown.filter(~is_other).select(_TRACK).unique(maintain_order=True)


def identity_answer(global_id: int, stays: pl.DataFrame) -> IdentityAnswer:
    """The response for a person with these ``stays``, see `stays_of`."""
    columns = ("camera_id", "track_id", "start", "end", "confidence")
    answers = [StayAnswer(*row) for row in stays.select(columns).iter_rows()]
    first = [stay.start for stay in answers if stay.start is not None]
    last = [stay.end for stay in answers if stay.end is not None]
    return IdentityAnswer(global_id, min(first, default=None), max(last, default=None), answers)


def path_answer(
    global_id: int,
    stays: pl.DataFrame,
    recent: RecentRows,
    archive: Archive | None,
    since: float,
    until: float,
    limit: int,
) -> PathAnswer:
    """The first ``limit`` points of a person between two times, and the start of the next page.

    Points with equal timestamps are on one page, so there may be a few more.
    """
    found = _rows_of_person(
        pl.concat([_empty(), *_recent_rows_of(stays, recent)]), stays, since, until
    )
    pages = _archived(stays, archive, since, until) if archive is not None else iter(())
    for start, rows in pages:
        if len(found) > limit and start > _moment(found, limit):
            break
        found = _best_per_frame([_rows_of_person(rows, stays, since, until), found])
    following = None if len(found) <= limit else _after(found, _moment(found, limit - 1))
    if following is not None:
        found = found.filter(pl.col("timestamp") < following)
    return PathAnswer(global_id, [_point(row) for row in found.iter_rows(named=True)], following)


def _recent_rows_of(stays: pl.DataFrame, recent: RecentRows) -> list[pl.DataFrame]:
    columns = _empty().columns
    return [rows.select(columns).join(stays, on=_TRACK, how="semi") for rows in recent.rows]


def _archived(
    stays: pl.DataFrame, archive: Archive, since: float, until: float
) -> Iterator[tuple[float, pl.DataFrame]]:
    """Start and rows of each row group with these stays, ordered by start."""
    for page in archive.pages(stays, since, until):
        of_camera = stays.filter(pl.col("camera_id") == page.camera_id)
        yield page.start, page.rows(of_camera["track_id"].unique())


def _rows_of_person(
    rows: pl.DataFrame, stays: pl.DataFrame, since: float, until: float
) -> pl.DataFrame:
    """The rows within the stays of a person, with the confidence; one row per frame."""
    within = pl.col("timestamp").is_between(since, until)
    joined = rows.filter(within).join(
        stays.select(*_TRACK, "since", "until", "confidence"), on=_TRACK
    )
    part = (pl.col("timestamp") >= pl.col("since")) & (pl.col("timestamp") < pl.col("until"))
    return _best_per_frame([joined.filter(part).drop("since", "until")])


def _best_per_frame(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Concatenated rows by time; of several boxes in one frame the one with the highest score."""
    rows = pl.concat(frames).sort("score", "track_id", descending=[True, False])
    return rows.unique(_FRAME, keep="first").sort("timestamp", "camera_id")


def _moment(rows: pl.DataFrame, index: int) -> float:
    return float(rows["timestamp"][index])


def _after(rows: pl.DataFrame, moment: float) -> float | None:
    later = rows.filter(pl.col("timestamp") > moment)
    return None if later.is_empty() else _moment(later, 0)


def _empty() -> pl.DataFrame:
    floats = ("timestamp", "ground_x", "ground_y")
    small = ("x1", "y1", "x2", "y2", "score")
    return pl.DataFrame(
        schema={
            "camera_id": pl.String,
            "frame_index": pl.Int64,
            "track_id": pl.Int64,
            **dict.fromkeys(floats, pl.Float64),
            **dict.fromkeys(small, pl.Float32),
        }
    )


def _point(row: dict[str, object]) -> PointAnswer:
    x, y = row["ground_x"], row["ground_y"]
    values = {key: row[key] for key in ("timestamp", "camera_id", "frame_index", "track_id")}
    box = (row["x1"], row["y1"], row["x2"], row["y2"])
    ground = None if x is None or y is None else (x, y)
    return PointAnswer(**values, confidence=row["confidence"], box=box, ground=ground)  # type: ignore[arg-type]
