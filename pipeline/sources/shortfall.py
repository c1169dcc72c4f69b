"""Frames of a video file that were not shown: what its container says against what was decoded.

Of Matroska and MPEG transport streams the little is read here that PyAV does not give.
"""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.sources.decoding import Decoder, average_fps

_MICROSECONDS = 1_000_000
_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
#: A file that ends at most this many frames early is complete: an mkv need not give the duration
#: of its last frame.
_SLACK = {"avi": 0.5, "matroska,webm": 1.5}

#: A second field comes this much of a frame interval after the first at most.
_FIELD = 0.75
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_VOID, _CHECKSUM = 0xEC, 0xBF
#: EBML header, then what a segment holds: index, description, tracks, cues, chapters, files, tags.
_TOP = frozenset(
    {0x1A45DFA3, _SEGMENT, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B}
    | {0x1043A770, 0x1941A469, 0x1254C367, _VOID, _CHECKSUM}
)
#: What a cluster holds: blocks and groups of them, its time, its position, its size.
_IN_CLUSTER = frozenset({0xA3, 0xA0, 0xAF, 0xE7, 0xA7, 0xAB, 0x5854, _VOID, _CHECKSUM})
_SYNC = 0x47
#: Bytes of a packet, and where its sync byte is: plain, with a time stamp (M2TS), with parity.
_LAYOUTS = ((188, 0), (192, 4), (204, 0))
_CHECKED = 5


def shortfall(container: InputContainer, stream: VideoStream, decoder: Decoder, path: Path) -> str:
    """How many frames were read out of how many, and why not all; empty when all were read.

    mp4 and mov list their frames. avi and mkv only give their duration, so the total is an
    estimate. Other containers give neither, so only damage is detected.
    """
    read, samples = decoder.decoded, _listed_samples(container, stream)
    listed = round(samples * read / (read + _second_fields(decoder))) if read else samples
    ended_early = round(_missing_s(container, stream, decoder) * average_fps(stream))
    if listed:
        total = str(listed)
    elif ended_early:
        total = f"about {read + ended_early + decoder.lost}"
    else:
        total = str(read + decoder.lost)
    count = f"{read} of {total} frames could be read"
    if decoder.stopped:
        return f"reading stopped ({decoder.stopped}): {count}"
    if ended_early or decoder.packets < samples:
        return f"truncated: {count}"
    if decoder.lost or read < listed:
        return f"damaged: {count}"
    damaged = max(decoder.failed, decoder.concealed, _incomplete(container, stream, decoder, path))
    if not damaged and "matroska" in container.format.name and is_broken(path):
        return f"damaged: {read} frames were read, and others are missing among them"
    return f"damaged: {damaged} of {read} frames come from incomplete data" if damaged else ""


def _listed_samples(container: InputContainer, stream: VideoStream) -> int:
    """The number of visible samples in the index; the stream's own count includes hidden ones."""
    if "mov" not in container.format.name.split(","):
        return 0
    return sum(not entry.is_discard for entry in stream.index_entries)


def _second_fields(decoder: Decoder) -> int:
    """The packets that are the second field of an interlaced frame, and so no frame of their own.

    Such a packet follows in decoding order on the one whose time the frame has, and is less than a
    frame interval away from it.
    """
    packets, frames = np.array(decoder.packet_times), np.array(decoder.frame_times)
    if not len(decoder.interlaced_times) or len(frames) < 2:
        return 0
    interval = np.median(np.diff(np.sort(frames)))
    near = np.abs(np.diff(packets)) <= _FIELD * interval
    first, second = packets[:-1], packets[1:]
    pairs = np.isin(first, decoder.interlaced_times) & ~np.isin(second, frames)
    return int((pairs & near).sum())


def _incomplete(
    container: InputContainer, stream: VideoStream, decoder: Decoder, path: Path
) -> int:
    """Places with missing data. FFmpeg marks joints of transport streams too, and not all holes."""
    if container.format.name == "mpegts":
        found = holes(path, stream.id)
        if found is not None:
            return found
    return decoder.incomplete


def _missing_s(container: InputContainer, stream: VideoStream, decoder: Decoder) -> float:
    """Seconds from the end of the last packet to the expected end, 0 within the tolerance."""
    slack, fps = _SLACK.get(container.format.name), average_fps(stream)
    if slack is None or not fps:
        return 0.0
    unit_s = float(stream.time_base or 0)
    avi = container.format.name == "avi"
    promised_s = stream.frames * unit_s if avi else _mkv_end_s(container, stream)
    missing_s = promised_s - decoder.end * unit_s
    return missing_s if missing_s > slack / fps else 0.0


def _mkv_end_s(container: InputContainer, stream: VideoStream) -> float:
    found = _DURATION.fullmatch(stream.metadata.get("DURATION", "").strip())
    if found:
        hours, minutes, seconds = map(float, found.groups())
        return 3600 * hours + 60 * minutes + seconds
    # Audio may continue after the last video frame.
    alone = len(container.streams) == 1
    return (container.duration or 0) / _MICROSECONDS if alone else 0.0


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
