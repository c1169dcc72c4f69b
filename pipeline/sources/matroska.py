"""Notice damage between the blocks of a Matroska or WebM file, which FFmpeg skips in silence.

RFC 8794 (EBML) and RFC 9559 (Matroska): elements follow each other without a hole.
"""

from pathlib import Path
from typing import BinaryIO

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_VOID, _CHECKSUM = 0xEC, 0xBF
#: EBML header, then what a segment holds: index, description, tracks, cues, chapters, files, tags.
_TOP = frozenset(
    {0x1A45DFA3, _SEGMENT, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B}
    | {0x1043A770, 0x1941A469, 0x1254C367, _VOID, _CHECKSUM}
)
#: What a cluster holds: blocks and groups of them, its time, its position, its size.
_IN_CLUSTER = frozenset({0xA3, 0xA0, 0xAF, 0xE7, 0xA7, 0xAB, 0x5854, _VOID, _CHECKSUM})


def is_broken(path: Path) -> bool:
    """Whether something that is no element lies between the elements of ``path``.

    A file that ends inside an element is cut off and not broken.
    """
    end = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position < end:
            file.seek(position)
            element = _number(file, keep_marker=True)
            size = _number(file, keep_marker=False)
            if element is None or size is None:
                return position + 12 <= end
            if element not in _TOP and element not in _IN_CLUSTER:
                return True
            # Segments and clusters are entered; what they hold has ids of its own.
            enters = element in (_SEGMENT, _CLUSTER)
            position = file.tell() + (0 if enters else size)
    return False


def _number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """The next id or size of variable length; None for one that is none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    if len(rest) < length - 1 or (keep_marker and length > 4):
        return None
    value = first[0] if keep_marker else first[0] & (0xFF >> length)
    return int.from_bytes(bytes([value]) + rest, "big")
