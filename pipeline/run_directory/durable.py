"""Files that are there as a whole or not at all, also after the power went out."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.errors import UserError


@contextmanager
def replacing(path: Path, partial: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of ``path`` at the end of the block.

    Until then it is ``partial``, by default the name with ``.partial`` behind it. Raises OSError
    when it cannot be written; then ``path`` is as it was.
    """
    partial = partial or path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it, each to be found after the power went out."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


class BusyError(UserError):
    """Somebody else writes into the folder."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Nobody else writes into ``folder`` during the block; raises BusyError when somebody does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(
            f"another recorder writes into {folder}. Expected one; end it, or give --out a new "
            "folder"
        ) from error


def sync_folder(folder: Path) -> None:
    """Put the names of ``folder`` on the disk: a file's own sync says nothing of its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
