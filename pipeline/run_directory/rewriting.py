"""Taking rows out of closed segments. A crash leaves each of them as it was or as it is to be."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from pipeline.run_directory.segments import position_of, read_segment, segments, write_segment
from reid_model.atomic_file import sync_folder

#: What of the rows of a segment stays, in this order; the table itself when all of it does.
RowFilter = Callable[[pa.Table], pa.Table]


def rewrite_all(folder: Path, schema: pa.Schema, change: RowFilter, *, dry: bool = False) -> int:
    """Change every segment of ``folder``; returns how many rows went.

    With ``dry`` they are only counted. Raises OSError, and UserError for a damaged segment; what
    was changed by then stays changed.
    """
    closed = segments(folder)
    return sum(rewrite(path, schema, change, last=path == closed[-1], dry=dry) for path in closed)


def rewrite(
    path: Path, schema: pa.Schema, change: RowFilter, *, last: bool, dry: bool = False
) -> int:
    """Change one segment; returns how many rows went. One without rows goes as a whole.

    The ``last`` one stays, even without rows: it says how far the recorder is.
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
    """Remove a file for good, also when the power goes out; returns whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync_folder(path.parent)
    return True


def remove_all(paths: Iterable[Path], *, dry: bool = False) -> int:
    """Remove those of the files that are there; returns how many."""
    return sum(path.is_file() if dry else remove(path) for path in paths)


#: What was removed: a word for the kind, and how many.
Removed = Counter[str]


def remove_derived(folder: Path, *, dry: bool = False) -> Removed:
    """Remove the page and the exports in a run directory; both can be made again.

    Raises OSError.
    """
    removed: Removed = Counter()
    removed["reports"] = remove_all([folder / "report.html"], dry=dry)
    exports = sorted(path for path in (folder / "export").rglob("*") if path.is_file())
    removed["exports"] = remove_all(exports, dry=dry)
    return +removed


def told(removed: Removed) -> str:
    """What was removed, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(removed.items())) or "nothing"
