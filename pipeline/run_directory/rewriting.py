"""Removes rows from closed segments. A crash leaves each segment either unchanged or rewritten."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from pipeline.run_directory.layout import MOSAIC, contained
from pipeline.run_directory.row_groups import RowGroup, row_groups
from pipeline.run_directory.segments import (
    covered_by,
    position_of,
    read_by_group,
    segments,
    write_tables,
)
from pipeline.run_directory.vectors import remove_stale
from reid_model.atomic_file import sync

#: Returns the rows of a row group to keep, in order; the same table object to keep them all.
RowFilter = Callable[[pa.Table], pa.Table]


def rewrite_all(
    folder: Path,
    schema: pa.Schema,
    change: RowFilter,
    *,
    touched: Callable[[RowGroup], bool] = lambda group: True,
    alive: Callable[[], None] = lambda: None,
    dry: bool = False,
) -> int:
    """Rewrite the segments of ``folder`` of which a row group is ``touched``, by its statistics;
    returns the number of removed rows.

    With ``dry`` they are only counted. ``alive`` is called all along. Raises OSError, and UserError
    for a damaged segment; segments rewritten before that stay rewritten.
    """
    closed, removed = segments(folder), 0
    wanted = {group.path for group in row_groups(folder) if touched(group)}
    for path in [path for path in closed if path in wanted]:
        alive()
        removed += rewrite(path, schema, change, last=path == closed[-1], alive=alive, dry=dry)
    return removed


def rewrite(
    path: Path,
    schema: pa.Schema,
    change: RowFilter,
    *,
    last: bool,
    alive: Callable[[], None] = lambda: None,
    dry: bool = False,
) -> int:
    """Rewrite one segment; returns the number of removed rows. An empty segment is deleted.

    The ``last`` segment is kept even if empty, because it holds the recorder's position. Segments
    that it covers are deleted first: they hold the same rows.
    """
    changed: dict[int, pa.Table] = {}
    before = after = 0
    for index, rows in enumerate(read_by_group(path, schema)):
        alive()
        left = change(rows)
        before, after = before + len(rows), after + len(left)
        if left is not rows:
            changed[index] = left
    if not changed or dry:
        return before - after
    remove_all(covered_by(path))
    if after or last:
        groups = enumerate(read_by_group(path, schema))
        kept = (changed.get(index, rows) for index, rows in groups)
        position = position_of(path) or ""
        write_tables(path, schema, position, (rows for rows in kept if len(rows)))
    else:
        remove(path)
    return before - after


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
    """Delete the report, mosaic, exports and statistics of a run directory, and the search's
    vectors of segments that have changed; all can be created again.

    Raises OSError, and UserError when they are a link to another folder.
    """
    removed: Removed = Counter()
    removed["mosaics"] = remove_all([folder / MOSAIC], dry=dry)
    removed["reports"] = remove_all([folder / "report.html"], dry=dry)
    for kind, name in (("exports", "export"), ("statistics", "stats")):
        files = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        for path in files:
            contained(folder, str(path.relative_to(folder)))
        removed[kind] = remove_all(files, dry=dry)
    if not dry:
        contained(folder, "search/vectors")
        remove_stale(folder)
    return +removed


def removed_text(removed: Removed) -> str:
    """The removed items as text."""
    return ", ".join(f"{count} {what}" for what, count in sorted(removed.items())) or "nothing"
