"""Check a file before decoding it, so that the error message can say what is wrong."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError
from pipeline.sources.redact import redact
from pipeline.sources.source_kinds import exists


def readable_file(source: str) -> Path:
    """The path of an existing, readable, non-empty file. Raises UserError otherwise."""
    path = Path(source)
    if not exists(path):
        raise no_such_file(path)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if empty:
        raise UserError(f"{path} is empty (0 bytes). Check that it was copied completely")
    return path


def no_such_file(path: Path) -> UserError:
    """The error for a missing file, with the most similar name in its folder if there is one."""
    folder = path.parent
    if path.is_symlink():
        return UserError(f"{path} is a link to {os.readlink(path)}, which cannot be opened")
    shown = redact(str(path))
    if shown != str(path):
        return UserError(
            f"no such file: {shown}. The address of a camera is rtsp://USER:PASSWORD@HOST/PATH"
        )
    if not os.path.isdir(folder):
        return UserError(f"no such file: {path} (there is no folder {folder})")
    near = get_close_matches(path.name, _names_in(folder), n=1, cutoff=0.6)
    hint = f". Did you mean {str(path.with_name(near[0]))!r}?" if near else ""
    return UserError(f"no such file: {path}{hint}")


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


_FIRST_BOXES = {b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov"}


def lacks_index(path: Path) -> bool:
    """Whether ``path`` is an mp4 or mov without a complete index (`moov` box)."""
    boxes = _all_boxes(path)
    return bool(boxes) and (b"moov", True) not in boxes


def indexes(path: Path) -> int:
    """How many complete indexes an mp4 or mov has: FFmpeg reads the first only; 0 for others."""
    return _all_boxes(path).count((b"moov", True))


def _all_boxes(path: Path) -> list[tuple[bytes, bool]]:
    """The top-level boxes of an mp4 or mov, empty for another file."""
    with path.open("rb") as file:
        boxes = list(_boxes(file, path.stat().st_size))
    return boxes if boxes and boxes[0][0] in _FIRST_BOXES else []


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """The type of every top-level box, and whether it is complete."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        elif length == 0:
            length = size - position
        if length < 8:
            return
        position += length
        yield kind, position <= size
