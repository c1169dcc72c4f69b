"""Closed Parquet segments: written to a temporary file, synced, then renamed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.run_directory.durable import make_folder
from reid_model.atomic_file import replacing

_POSITION = b"fusetrack.position"


def write_segment(folder: Path, table: pa.Table, position: str, number: int | None = None) -> Path:
    """Write ``table`` as ``part-NNNNN.parquet`` of ``folder`` and return its path.

    ``number`` defaults to `next_number`. ``position`` identifies the messages recorded so far; it
    is stored in the file's metadata for a restarted recorder. Raises OSError, for example when the
    disk is full, and then leaves no file behind.
    """
    make_folder(folder)
    path = folder / f"part-{next_number(folder) if number is None else number:05d}.parquet"
    metadata = {**(table.schema.metadata or {}), _POSITION: position.encode()}
    # Opened here, because an OSError of pyarrow has no errno and no clear text.
    with replacing(path, path.with_suffix(".partial")) as partial, partial.open("wb") as file:
        pq.write_table(table.replace_schema_metadata(metadata), file, compression="zstd")
    return path


def next_number(folder: Path) -> int:
    """The number of the next segment of ``folder``."""
    closed = segments(folder)
    return int(closed[-1].stem.removeprefix("part-")) + 1 if closed else 0


def segments(folder: Path) -> list[Path]:
    """The closed segments of ``folder``, in order."""
    # Sorted by length first: after a week numbers have more than five digits.
    return sorted(folder.glob("part-*.parquet"), key=lambda path: (len(path.name), path.name))


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
    with _naming_damage(path):
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
    with _naming_damage(path):
        return pq.read_table(path, partitioning=None).cast(schema)


def _read_all(folder: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    for path in segments(folder):
        try:
            yield read_segment(path, schema)
        except UserError:
            # Retention may have deleted it since the folder was listed.
            if path.exists():
                raise


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        raise UserError(
            f"{path} is damaged: {str(error).splitlines()[0]}. Expected a segment written by "
            "fusetrack; remove the file to read the rest"
        ) from error
