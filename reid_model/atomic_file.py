"""Files that are written completely or not at all, even if the power fails.

The module is in the lowest package that writes files; the packages above use it too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, partial: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces ``path`` at the end of the block.

    The temporary path is ``partial``, by default ``path`` with the suffix ``.partial`` added.
    Raises OSError when it cannot be written; after any error ``path`` is unchanged.

    Example:
        >>> with replacing(Path("people.csv")) as partial:
        ...     partial.write_text("camera_id,global_id")
    """
    partial = partial or path.with_name(f"{path.name}.partial")
    if partial.is_symlink():
        # In a folder from elsewhere it may lead to any file.
        partial.unlink()
    try:
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    finally:
        # A folder that is missing or not writable has nothing to clean up.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def move_folder(folder: Path, final: Path) -> None:
    """Move a complete ``folder`` to ``final``, unless another process has made the same there
    meanwhile. Raises OSError when it cannot be moved.
    """
    try:
        folder.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def sync(path: Path) -> None:
    """Sync a file, or the entries of a folder, to disk: syncing a file does not sync its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
