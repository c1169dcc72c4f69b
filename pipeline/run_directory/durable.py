"""Folders that are there after the power went out, and that one process alone writes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from reid_model.atomic_file import sync_folder


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
