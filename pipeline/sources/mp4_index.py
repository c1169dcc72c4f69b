"""Tell an mp4 that was cut before its index was written from a file that is no video."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FIRST_BOXES = {b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov"}


def lacks_index(path: Path) -> bool:
    """Whether ``path`` is an mp4 or mov without a whole index (`moov` box)."""
    with path.open("rb") as file:
        boxes = list(_boxes(file, path.stat().st_size))
    if not boxes or boxes[0][0] not in _FIRST_BOXES:
        return False
    return (b"moov", True) not in boxes


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """The kind of every box at the top level, and whether it is whole."""
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
