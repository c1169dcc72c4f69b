"""Row groups of segments: found by the statistics in their footers, and read."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.run_directory.schema import conform
from pipeline.run_directory.segments import covers, naming_damage, segments

Range = tuple[Any, Any]
T = TypeVar("T")
# Compaction replaces a segment at most three times, and the recorder takes its time between.
_TRIES = 5


class ChangedError(UserError):
    """A segment was rewritten while it was read."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of the segment ``path`` in its ``version`` (modification time and size).

    ``ranges`` are the least and the greatest value of each column that has statistics.
    """

    path: Path
    version: tuple[int, int]
    index: int
    rows: int
    ranges: dict[str, Range]

    def overlaps(self, column: str, low: Any, high: Any) -> bool:
        """Whether it may have a value of ``column`` from ``low`` to ``high``, both included."""
        first, last = self.ranges.get(column, (low, high))
        return bool(first <= high and last >= low)

    def holds_any(self, column: str, values: NDArray[np.int64]) -> bool:
        """Whether it may have one of the sorted ``values`` in ``column``."""
        if not len(values):
            return False
        first, last = self.ranges.get(column, (values[0], values[-1]))
        return bool(np.searchsorted(values, last, "right") > np.searchsorted(values, first))


def row_groups(folder: Path, **wanted: Range) -> list[RowGroup]:
    """The row groups of ``folder`` that may have rows with each ``column=(low, high)``, in order.

    Raises UserError naming a segment that cannot be read.
    """
    return [
        group
        for group in groups_of(segments(folder))
        if all(group.overlaps(column, *limits) for column, limits in wanted.items())
    ]


def steadily(query: Callable[[], T]) -> T:
    """The result of ``query``, which is made again when a segment was replaced meanwhile."""
    for _ in range(_TRIES - 1):
        with suppress(ChangedError):
            return query()
    return query()


def span_of(groups: Iterable[RowGroup], column: str) -> Range:
    """The least and the greatest value of ``column``, by the statistics; (inf, -inf) for none."""
    ranges = [group.ranges[column] for group in groups if column in group.ranges]
    first = min((low for low, _ in ranges), default=math.inf)
    return first, max((high for _, high in ranges), default=-math.inf)


def read(groups: Sequence[RowGroup], schema: pa.Schema, columns: Sequence[str]) -> pl.DataFrame:
    """The rows of ``groups``, ordered as they are.

    Raises ChangedError when a segment was replaced meanwhile, and UserError when one is damaged.
    """
    wanted = pa.schema([schema.field(name) for name in columns])
    tables = [wanted.empty_table()]
    for path, of_path in groupby(groups, key=lambda group: group.path):
        tables += _read(path, list(of_path), schema, wanted)
    frame = pl.from_arrow(pa.concat_tables(tables))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _read(
    path: Path, groups: list[RowGroup], schema: pa.Schema, wanted: pa.Schema
) -> Iterator[pa.Table]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        # Retention deletes whole segments; what another segment covers is there.
        if any(covers(other, path) for other in segments(path.parent)):
            raise _changed(path) from None
        return
    with naming_damage(path), file:
        if _version(os.fstat(file.fileno())) != groups[0].version:
            raise _changed(path)
        parquet = pq.ParquetFile(file)
        # Columns that the file lacks are computed from others.
        present = [name for name in parquet.schema_arrow.names if name in schema.names]
        names = [name for name in present if name in wanted.names]
        complete = len(names) == len(wanted)
        rows = parquet.read_row_groups(
            [group.index for group in groups], names if complete else present, use_threads=False
        )
        yield conform(rows, wanted)


def _changed(path: Path) -> ChangedError:
    return ChangedError(f"{path.parent} has changed while it was read: run the command again")


def groups_of(paths: Iterable[Path]) -> list[RowGroup]:
    """All row groups of these segments, in order. Raises UserError as `row_groups`."""
    return [group for path in paths for group in _groups_of(path)]


def _groups_of(path: Path) -> tuple[RowGroup, ...]:
    try:
        return _cached_groups(path, _version(os.stat(path)))
    except FileNotFoundError:
        # Deleted since the folder was listed.
        return ()


def _version(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=50_000)
def _cached_groups(path: Path, version: tuple[int, int]) -> tuple[RowGroup, ...]:
    with naming_damage(path):
        footer = pq.read_metadata(path)
    return tuple(
        RowGroup(path, version, index, footer.row_group(index).num_rows, _ranges(footer, index))
        for index in range(footer.num_row_groups)
    )


def _ranges(footer: pq.FileMetaData, index: int) -> dict[str, Range]:
    group = footer.row_group(index)
    found: dict[str, Range] = {}
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema in _PRUNED and column.is_stats_set:
            statistics = column.statistics
            if statistics.has_min_max:
                found[column.path_in_schema] = statistics.min, statistics.max
    return found


#: Columns by which readers skip row groups.
_PRUNED = frozenset(
    ("frame_index", "timestamp", "track_id", "camera_id", "global_id", "start", "end", "at")
)
