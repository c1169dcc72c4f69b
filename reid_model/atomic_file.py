"""Files that are there as a whole or not at all, also after the power went out.

It lies in the lowest package that writes files; everything above uses it too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, partial: Path | None = None) -> Iterator[Path]:
    """A path to write a file at, which takes the place of ``path`` at the end of the block.

    Until then it is ``partial``, by default the name with ``.partial`` behind it. Raises OSError
    when it cannot be written; then, and after any other error, ``path`` is as it was.

    Example:
        >>> with replacing(Path("people.csv")) as partial:
        ...     partial.write_text("camera_id,global_id")
    """
    partial = partial or path.with_name(f"{path.name}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    finally:
        # A folder that is gone or cannot be written has nothing to tidy up.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Put the names of ``folder`` on the disk: a file's own sync says nothing of its name."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
