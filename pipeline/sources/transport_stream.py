"""Tell a joint in an MPEG transport stream from a hole.

ISO/IEC 13818-1, 2.4.3: packets of 188 bytes; those of one stream are numbered modulo 16.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SYNC = 0x47
#: Bytes of a packet, and where its sync byte is: plain, with a time stamp (M2TS), with parity.
_LAYOUTS = ((188, 0), (192, 4), (204, 0))
_CHECKED = 5


def holes(path: Path, stream: int) -> int | None:
    """At how many places packets of ``stream`` are missing or faulty; None when that is unknown.

    A joint of two whole recordings is no such place, although the numbers break there: a recording
    begins with a program table (PID 0) and a picture at which decoding can start, while packets
    get lost anywhere. Unknown is it for a file that is not a whole number of packets.
    """
    data = np.memmap(path, np.uint8, "r")
    for size, at in _LAYOUTS:
        if len(data) >= size * _CHECKED and (data[at : size * _CHECKED : size] == _SYNC).all():
            return _holes(data[at:], size, stream)
    return None


def _holes(data: NDArray[np.uint8], size: int, stream: int) -> int | None:
    count = (len(data) + size - 188) // size
    sync, first, second, flags = (data[byte::size][:count] for byte in range(4))
    if (sync != _SYNC).any():
        return None
    pid = (first & 0x1F).astype(np.uint16) << 8 | second
    # Only packets with a payload are numbered.
    mine = np.flatnonzero((pid == stream) & (flags & 0x10 > 0))
    tables = np.flatnonzero(pid == 0)
    breaks = np.flatnonzero(_steps(flags[mine]) != 1)
    joints = sum(
        bool(first[after] & 0x40) and _begins(data[after * size :], flags, tables, before, after)
        for before, after in zip(mine[breaks], mine[breaks + 1], strict=True)
    )
    return len(breaks) - joints + int((first[mine] & 0x80 > 0).sum())


def _begins(
    packet: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    tables: NDArray[np.intp],
    before: np.intp,
    after: np.intp,
) -> bool:
    """Whether a recording begins between two packets, of which ``packet`` is the second."""
    at = int(np.searchsorted(tables, before))
    if at == len(tables) or tables[at] > after:
        return False
    # The random access indicator of the adaptation field.
    can_start = bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x40)
    table_breaks = at > 0 and _steps(flags[tables[at - 1 : at + 1]])[0] != 1
    return can_start or bool(table_breaks)


def _steps(flags: NDArray[np.uint8]) -> NDArray[np.integer]:
    """From each number, the lower half of ``flags``, to the next; 1 where none is missing."""
    return np.diff(flags & 0x0F) & 0x0F
