"""The run directory as the live API reads it while it grows: only what is new, or what is asked.

A segment that was taken away or written anew, as when somebody is forgotten, is read anew.
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

from pipeline.api.recent_people import PARTS, TRACKS
from pipeline.errors import UserError
from pipeline.run_directory.cameras import read_cameras
from pipeline.run_directory.progress import read_progress
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, Camera
from pipeline.run_directory.segments import segments

#: A file by path, and when it was written (ns), so that another one of the same name is another.
_Version = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """Observations of one camera, from ``start`` to ``end``, seconds UTC."""

    camera_id: str
    path: Path
    start: float
    end: float

    def rows(self, track_ids: pl.Series) -> pl.DataFrame:
        """Its observations of these tracks."""
        rows = _read(self.path, OBSERVATIONS)
        wanted = rows.filter(pl.col("track_id").is_in(track_ids.implode()))
        return wanted.with_columns(camera_id=pl.lit(self.camera_id))


class Archive:
    """A run directory that may not be there yet, and may grow or shrink."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = _Growing(folder / "identities", IDENTITIES, _parts_of)
        self._tracks = _Growing(folder / "tracklets", TRACKLETS, _tracks_of)

    def run(self) -> str:
        """The name of the run that it holds, empty while there is none."""
        return read_progress(self._folder).run

    def cameras(self) -> list[Camera]:
        """What was last written of each camera."""
        return read_cameras(self._folder)

    def parts(self) -> pl.DataFrame:
        """Whose the tracks are, see `people.PARTS`; later rows count."""
        return self._parts.read()

    def tracks(self) -> pl.DataFrame:
        """From when to when closed tracks were seen, see `people.TRACKS`."""
        return self._tracks.read()

    def segments(self, camera_id: str, since: float, until: float) -> list[Segment]:
        """The observations of a camera that are between these moments, seconds UTC."""
        found = []
        for path, written in _versions(self._folder / "observations" / f"camera={camera_id}"):
            start, end = _times(path, written)
            if start <= until and end >= since:
                found.append(Segment(camera_id, path, start, end))
        return found


class _Growing:
    """The rows of a folder's segments; what was read before is only read again if it changed."""

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
            # Taken away since the folder was listed.
            continue


@lru_cache(maxsize=100_000)
def _times(path: Path, written: int) -> tuple[float, float]:
    """First and last timestamp of a segment, out of its footer alone; backwards if it is empty."""
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
