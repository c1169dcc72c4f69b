"""Removes rows from closed segments. A crash leaves each segment either unchanged or rewritten."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from pipeline.run_directory.segments import position_of, read_segment, segments, write_segment
from reid_model.atomic_file import sync

#: Returns the rows of a segment to keep, in order; the same table object to keep them all.
RowFilter = Callable[[pa.Table], pa.Table]


def rewrite_all(folder: Path, schema: pa.Schema, change: RowFilter, *, dry: bool = False) -> int:
    """Rewrite every segment of ``folder``; returns the number of removed rows.

    With ``dry`` they are only counted. Raises OSError, and UserError for a damaged segment;
    segments rewritten before that stay rewritten.
    """
    closed = segments(folder)
    return sum(rewrite(path, schema, change, last=path == closed[-1], dry=dry) for path in closed)


def rewrite(
    path: Path, schema: pa.Schema, change: RowFilter, *, last: bool, dry: bool = False
) -> int:
    """Rewrite one segment; returns the number of removed rows. An empty segment is deleted.

    The ``last`` segment is kept even if empty, because it holds the recorder's position.
    """
    rows = read_segment(path, schema)
    left = change(rows)
    if left is rows or dry:
        return len(rows) - len(left)
    if len(left) or last:
        number = int(path.stem.removeprefix("part-"))
        write_segment(path.parent, left, position_of(path) or "", number)
    else:
        remove(path)
    return len(rows) - len(left)


def remove(path: Path) -> bool:
    """Delete a file durably; returns whether it existed."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync(path.parent)
    return True


def remove_all(paths: Iterable[Path], *, dry: bool = False) -> int:
    """Delete the files that exist; returns their number. With ``dry`` they are only counted."""
    return sum(path.is_file() if dry else remove(path) for path in paths)


#: Number of removed items by kind.
Removed = Counter[str]


def remove_derived(folder: Path, *, dry: bool = False) -> Removed:
    """Delete the report and the exports of a run directory; both can be created again.

    Raises OSError.
    """
    removed: Removed = Counter()
    removed["reports"] = remove_all([folder / "report.html"], dry=dry)
    exports = sorted(path for path in (folder / "export").rglob("*") if path.is_file())
    removed["exports"] = remove_all(exports, dry=dry)
    return +removed


def removed_text(removed: Removed) -> str:
    """The removed items as text."""
    return ", ".join(f"{count} {what}" for what, count in sorted(removed.items())) or "nothing"
