"""Reads a growing run directory for the live API: only new segments, or those of a query.

When a segment is deleted or rewritten, for example because a person is forgotten, all are read
again.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.api.recent_people import PARTS, TRACKS, RecentRows
from pipeline.api.schemas import IdentityAnswer, PathAnswer, PointAnswer, StayAnswer
from pipeline.errors import UserError
from pipeline.run_directory.progress import read_cameras, read_progress
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, CameraRecord
from pipeline.run_directory.segments import segments

#: Path and modification time (ns) of a file, to detect a rewritten file of the same name.
_Version = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """Observations of one camera, from ``start`` to ``end``, seconds UTC."""

    camera_id: str
    path: Path
    start: float
    end: float

    def rows(self, track_ids: pl.Series) -> pl.DataFrame:
        """The observations of these tracks."""
        rows = _read(self.path, OBSERVATIONS)
        wanted = rows.filter(pl.col("track_id").is_in(track_ids.implode()))
        return wanted.with_columns(camera_id=pl.lit(self.camera_id))


class Archive:
    """A run directory that may not exist yet and may grow or shrink."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = _Growing(folder / "identities", IDENTITIES, _parts_of)
        self._tracks = _Growing(folder / "tracklets", TRACKLETS, _tracks_of)

    def run(self) -> str:
        """The name of its run, empty while there is none."""
        return read_progress(self._folder).run

    def cameras(self) -> list[CameraRecord]:
        """The last written state of each camera."""
        return read_cameras(self._folder)

    def parts(self) -> pl.DataFrame:
        """Identities of the parts of tracks, see `recent_people.PARTS`; later rows override."""
        return self._parts.read()

    def tracks(self) -> pl.DataFrame:
        """Start and end of the closed tracks, see `recent_people.TRACKS`."""
        return self._tracks.read()

    def segments(self, camera_id: str, since: float, until: float) -> list[Segment]:
        """The segments with observations of a camera between two times, seconds UTC."""
        found = []
        for path, written in _versions(self._folder / "observations" / f"camera={camera_id}"):
            start, end = _times(path, written)
            if start <= until and end >= since:
                found.append(Segment(camera_id, path, start, end))
        return found


class _Growing:
    """The rows of a folder's segments, cached; read again when an earlier segment changes."""

    def __init__(
        self, folder: Path, schema: pa.Schema, select: Callable[[pl.DataFrame], pl.DataFrame]
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._select = select
        self._lock = threading.Lock()
        self._known: list[_Version] = []
        self._empty = self._rows = select(_frame(schema.empty_table()))

    def read(self) -> pl.DataFrame:
        with self._lock:
            versions = list(_versions(self._folder))
            if versions[: len(self._known)] != self._known:
                self._known, self._rows = [], self._empty
            unread = versions[len(self._known) :]
            fresh = [self._select(_read(path, self._schema)) for path, _ in unread]
            self._rows = pl.concat([self._rows, *fresh])
            self._known = versions
            return self._rows


def _parts_of(events: pl.DataFrame) -> pl.DataFrame:
    since = pl.col("since").fill_null(-math.inf)
    return events.with_columns(since, pl.col("confidence").cast(pl.Float64)).select(list(PARTS))


def _tracks_of(tracklets: pl.DataFrame) -> pl.DataFrame:
    return tracklets.select(list(TRACKS))


def _versions(folder: Path) -> Iterator[_Version]:
    for path in segments(folder):
        try:
            yield path, os.stat(path).st_mtime_ns
        except FileNotFoundError:
            # Deleted since the folder was listed.
            continue


@lru_cache(maxsize=100_000)
def _times(path: Path, written: int) -> tuple[float, float]:
    """First and last timestamp of a segment from its footer; (inf, -inf) if it is empty."""
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return math.inf, -math.inf
    column = footer.schema.names.index("timestamp")
    found = [footer.row_group(number).column(column) for number in range(footer.num_row_groups)]
    ranges = [group.statistics for group in found if group.statistics is not None]
    starts = [float(group.min) for group in ranges if group.has_min_max]
    ends = [float(group.max) for group in ranges if group.has_min_max]
    return min(starts, default=math.inf), max(ends, default=-math.inf)


def _read(path: Path, schema: pa.Schema) -> pl.DataFrame:
    try:
        return _frame(pq.read_table(path, partitioning=None).cast(schema))
    except FileNotFoundError:
        return _frame(schema.empty_table())
    except (pa.ArrowException, ValueError, OSError) as error:
        raise UserError(f"{path} is damaged: {str(error).splitlines()[0]}") from error


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


_TRACK = ["camera_id", "track_id"]
_FRAME = ["camera_id", "frame_index"]


def stays_of(global_id: int, recent: RecentRows, archive: Archive | None) -> pl.DataFrame:
    """The parts of tracks with this global id, ordered by time; empty for an unknown id.

    Columns: camera_id, track_id, start, end (null where unknown), since, until (infinite at the
    two ends of a track), confidence.
    """
    parts, tracks = [recent.parts], [recent.tracks]
    if archive is not None:
        # Later rows override, and recent rows are newer than the archive.
        parts, tracks = [archive.parts(), *parts], [archive.tracks(), *tracks]
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
    """Start and rows of each segment with these stays, ordered by start."""
    pages: list[tuple[Segment, pl.Series]] = []
    for (camera_id,), group in stays.group_by("camera_id"):
        starts, ends = group["start"].fill_null(-math.inf), group["end"].fill_null(math.inf)
        first, last = max(since, min(starts)), min(until, max(ends))
        found = archive.segments(str(camera_id), first, last)
        pages += [(segment, group["track_id"].unique()) for segment in found]
    for segment, track_ids in sorted(pages, key=lambda page: page[0].start):
        yield segment.start, segment.rows(track_ids).select(_empty().columns)


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
