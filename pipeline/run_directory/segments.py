"""Closed Parquet segments: written to a temporary file, synced, then renamed.

``part-NNNNN.parquet`` is a segment. ``part-NNNNN-MMMMM.parquet`` holds the rows of the segments N
to M, which it covers: whatever of them is still in the folder is not read.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.run_directory.durable import make_folder
from pipeline.run_directory.schema import conform
from reid_model.atomic_file import replacing

_POSITION = b"fusetrack.position"
_NAME = re.compile(r"part-(\d{5,})(?:-(\d{5,}))?\.parquet")
#: Rows of a row group, the unit that a reader skips or reads.
GROUP_ROWS = 65_536


def write_segment(folder: Path, table: pa.Table, position: str, number: int | None = None) -> Path:
    """Write ``table`` as ``part-NNNNN.parquet`` of ``folder`` and return its path.

    ``number`` defaults to `next_number`. ``position`` identifies the messages recorded so far; it
    is stored in the file's metadata for a restarted recorder. Raises OSError, for example when the
    disk is full, and then leaves no file behind.
    """
    make_folder(folder)
    path = folder / name_of(next_number(folder) if number is None else number)
    write_tables(path, table.schema, position, [table])
    return path


def write_tables(path: Path, schema: pa.Schema, position: str, tables: Iterable[pa.Table]) -> None:
    """Write ``tables`` one after the other as the segment ``path``, as `write_segment`."""
    metadata = {**(schema.metadata or {}), _POSITION: position.encode()}
    schema = schema.with_metadata(metadata)
    # Opened here, because an OSError of pyarrow has no errno and no clear text.
    with replacing(path, path.with_suffix(".partial")) as partial, partial.open("wb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table.replace_schema_metadata(metadata), GROUP_ROWS)


def name_of(first: int, last: int | None = None) -> str:
    """The file name of a segment, or of the file that covers the segments ``first`` to ``last``."""
    return f"part-{first:05d}.parquet" if last is None else f"part-{first:05d}-{last:05d}.parquet"


def numbers_of(path: Path) -> tuple[int, int]:
    """The first and the last number that a file holds."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    first, last = match.groups()
    return int(first), int(last or first)


def next_number(folder: Path) -> int:
    """The number of the next segment of ``folder``."""
    closed = segments(folder)
    return numbers_of(closed[-1])[1] + 1 if closed else 0


def segments(folder: Path) -> list[Path]:
    """The closed segments of ``folder``, in order, without those that another one covers."""
    return _sorted_out(folder)[0]


def covered(folder: Path) -> list[Path]:
    """The segments of ``folder`` that another one covers: they can be deleted."""
    return _sorted_out(folder)[1]


def covered_by(path: Path) -> list[Path]:
    """The segments that ``path`` covers and that are still in the folder."""
    return [other for other in covered(path.parent) if covers(path, other)]


def covers(path: Path, other: Path) -> bool:
    """Whether ``path`` holds all the segments that ``other`` holds."""
    (first, last), (low, high) = numbers_of(path), numbers_of(other)
    return first <= low and high <= last


def _listed(folder: Path) -> list[Path]:
    """The files of ``folder``, as they were at one moment.

    A listing is not of one moment: it may have passed the place of a file that then appears, and
    miss the files that are deleted for it. Two that agree miss nothing.
    """
    found: set[Path] | None = None
    while True:
        again = {path for path in folder.glob("part-*.parquet") if _NAME.fullmatch(path.name)}
        if again == found:
            return list(again)
        found = again


def _sorted_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """The segments that count, in order, and those that one of them covers."""
    found = _listed(folder)
    numbers = {path: numbers_of(path) for path in found}
    live: list[Path] = []
    hidden: list[Path] = []
    reached = -1
    # Of two files that begin with the same segment, the one that holds more is first.
    for path in sorted(found, key=lambda path: (numbers[path][0], -numbers[path][1])):
        (live if numbers[path][1] > reached else hidden).append(path)
        reached = max(reached, numbers[path][1])
    return live, hidden


def last_position(folder: Path) -> str | None:
    """The ``position`` of the last segment of ``folder``, or None when there is none.

    Raises UserError when the last segment cannot be read.
    """
    closed = segments(folder)
    return position_of(closed[-1]) if closed else None


def position_of(path: Path) -> str | None:
    """The ``position`` of a segment, None when it has none.

    Raises UserError when it cannot be read.
    """
    with naming_damage(path):
        metadata = pq.read_schema(path).metadata or {}
    position = metadata.get(_POSITION)
    return position.decode() if position else None


def read_segments(folder: Path, schema: pa.Schema) -> pa.Table:
    """All rows of ``folder``, an empty table of ``schema`` when there are none.

    Raises UserError naming a segment that cannot be read.
    """
    return pa.concat_tables([schema.empty_table(), *_read_all(folder, schema)])


def read_segment(path: Path, schema: pa.Schema) -> pa.Table:
    """The rows of one segment. Raises UserError when it cannot be read."""
    return pa.concat_tables([schema.empty_table(), *read_by_group(path, schema)])


def read_by_group(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of one segment, by row group. Raises UserError when it cannot be read."""
    with naming_damage(path), pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield conform(file.read_row_group(group), schema)


def _read_all(folder: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    for path in segments(folder):
        try:
            yield read_segment(path, schema)
        except UserError:
            # Retention may have deleted it since the folder was listed.
            if path.exists():
                raise


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Raise UserError that names ``path`` for an error of reading it within the block."""
    try:
        yield
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"{path} is damaged: {str(error).splitlines()[0]}. Expected a segment written by "
            "fusetrack; remove the file to read the rest"
        ) from error
