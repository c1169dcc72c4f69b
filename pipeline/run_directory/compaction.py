"""Compaction: many small segments become one that covers them, sorted and with statistics.

The new file appears under its name at once, and its name says which segments it covers. From then
on readers leave these out, so it does not matter when they are deleted: no crash makes a reader see
a row twice or not at all. A reader that listed the folder before misses a file and lists it again.
"""

from collections.abc import Callable, Iterator, Set
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipeline.run_directory.layout import observation_folders
from pipeline.run_directory.reader import frame_spans
from pipeline.run_directory.rewriting import remove_all
from pipeline.run_directory.row_groups import RowGroup, groups_of, read
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS
from pipeline.run_directory.segments import (
    GROUP_ROWS,
    covered,
    name_of,
    numbers_of,
    position_of,
    segments,
    write_tables,
)

#: Segments that are put together, each size aligned: those of five minutes, an hour and a day, at
#: the default of five seconds a segment.
SIZES = (60, 720, 17_280)


def tables_of(root: Path) -> dict[Path, pa.Schema]:
    """The folders of segments in the run directory ``root`` and the columns of their tables."""
    observations = dict.fromkeys(observation_folders(root).values(), OBSERVATIONS)
    return {**observations, root / "tracklets": TRACKLETS, root / "identities": IDENTITIES}


def due(folder: Path, *, ended: bool = False, without: Set[Path] = frozenset()) -> list[list[Path]]:
    """The segments of ``folder`` to be put together next: those of the smallest size that has any.

    With ``ended`` no more are to come: also what does not fill a size. Segments that would be put
    together with one ``without`` which it must be done stay as they are.
    """
    closed = segments(folder)
    after = numbers_of(closed[-1])[1] + 1 if closed else 0
    for size in SIZES:
        blocks: dict[int, list[Path]] = {}
        for path in closed:
            first, last = numbers_of(path)
            if first // size == last // size and (ended or (first // size + 1) * size <= after):
                blocks.setdefault(first // size, []).append(path)
        several = [b for b in blocks.values() if len(b) > 1 and without.isdisjoint(b)]
        if several:
            return several
    return []


def compact(paths: list[Path], schema: pa.Schema, alive: Callable[[], None] = lambda: None) -> Path:
    """Put segments of one folder together and delete them; returns the new one.

    The caller must be the only writer of the folder. ``alive`` is called all along. Raises OSError,
    and UserError for a damaged segment; then nothing has changed.
    """
    path = paths[0].with_name(name_of(numbers_of(paths[0])[0], numbers_of(paths[-1])[1]))
    groups = groups_of(paths)
    write_tables(path, schema, position_of(paths[-1]) or "", _tables(groups, schema, alive))
    for covered_path in paths:
        drop(covered_path)
    return path


def compact_all(root: Path) -> None:
    """Put together all segments of a run directory that no recorder writes to.

    Raises OSError, and UserError for a damaged segment.
    """
    for folder, schema in tables_of(root).items():
        while blocks := due(folder, ended=True):
            for paths in blocks:
                compact(paths, schema)


def drop(path: Path) -> None:
    """Delete a covered segment. It does not matter whether a power failure brings it back."""
    path.unlink(missing_ok=True)


def clean(root: Path) -> int:
    """Delete the covered segments that a killed process left; returns their number.

    Raises OSError.
    """
    return sum(remove_all(covered(folder)) for folder in tables_of(root))


def _tables(
    groups: list[RowGroup], schema: pa.Schema, alive: Callable[[], None]
) -> Iterator[pa.Table]:
    for rows in _sorted(groups, schema):
        alive()
        yield rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _sorted(groups: list[RowGroup], schema: pa.Schema) -> Iterator[pl.DataFrame]:
    if schema is OBSERVATIONS:
        yield from _by_frame(groups)
    elif schema is TRACKLETS:
        rows = read(groups, schema, schema.names)
        yield rows.sort("camera_id", "track_id", maintain_order=True)
    else:
        # A log: the last event on a track counts.
        yield read(groups, schema, schema.names)


def _by_frame(groups: list[RowGroup]) -> Iterator[pl.DataFrame]:
    for first, before in frame_spans(groups, 3 * GROUP_ROWS):
        within = [group for group in groups if group.overlaps("frame_index", first, before - 1)]
        rows = read(within, OBSERVATIONS, OBSERVATIONS.names)
        here = pl.col("frame_index").is_between(first, before - 1)
        yield rows.filter(here).sort("frame_index", "track_id", maintain_order=True)
