"""Folders that survive a power failure, logs of lines, and a lock for a single writer."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.errors import UserError
from reid_model.atomic_file import sync

_T = TypeVar("_T")


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents durably: each is synced to disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def append_line(path: Path, line: str) -> None:
    """Append a line to a log that only the owner of the run may read; not through a link.

    Raises OSError.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def read_lines(path: Path, kind: type[_T]) -> list[_T]:
    """What the lines of a log of JSON say, as ``kind``; none where there is no log."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    found = (_decoded(line, kind) for line in lines)
    return [one for one in found if one is not None]


def _decoded(line: bytes, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError:
        # The last line of a process that was killed may be cut.
        return None


def read_value(path: Path, kind: type[_T], way_out: str) -> _T:
    """The JSON file ``path`` as ``kind``.

    Raises UserError when it is damaged, with what to do then, and FileNotFoundError.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise damaged(path, str(error), way_out) from error


def damaged(path: Path, fault: str, way_out: str) -> UserError:
    """The error of a file of the run directory that fusetrack cannot have written."""
    return UserError(f"{path} is damaged: {fault}. Expected a file written by fusetrack; {way_out}")


class BusyError(UserError):
    """Another process writes to the folder."""


@contextmanager
def exclusive_writer(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for writing during the block; raises BusyError when it is locked already."""
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
            f"another recorder writes to {folder}. Expected only one; stop it, or give --out a new "
            "folder"
        ) from error
