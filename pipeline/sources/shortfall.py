"""How many frames of a file could not be read, and why."""

import re
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.sources.decoding import Decoder, average_fps
from pipeline.sources.matroska import is_broken
from pipeline.sources.transport_stream import holes

_MICROSECONDS = 1_000_000
_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
#: A file that ends at most this many frames early is complete: an mkv need not give the duration
#: of its last frame.
_SLACK = {"avi": 0.5, "matroska,webm": 1.5}


#: A second field comes this much of a frame interval after the first at most.
_FIELD = 0.75


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
        total = f"about {read + ended_early + decoder.failed}"
    else:
        total = str(read + decoder.failed)
    count = f"{read} of {total} frames could be read"
    if decoder.stopped:
        return f"reading stopped ({decoder.stopped}): {count}"
    if ended_early or decoder.packets < samples:
        return f"truncated: {count}"
    if decoder.failed or read < listed:
        return f"damaged: {count}"
    damaged = max(decoder.concealed, _incomplete(container, stream, decoder, path))
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
