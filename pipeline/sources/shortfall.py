"""What a video file promised and could not be read."""

import re

from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.sources.decoding import Decoder, average_fps

_MICROSECONDS = 1_000_000
_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
#: How many frames short of the promised end is still whole. An mkv may not say how long its last
#: frame lasts.
_SLACK = {"avi": 0.5, "matroska,webm": 1.5}


def shortfall(container: InputContainer, stream: VideoStream, decoder: Decoder, read: int) -> str:
    """Empty when everything was read; else how many of how many frames were, and why not all.

    mp4 and mov list their frames, avi and mkv only say where they end, so that the total is an
    estimate; other containers promise nothing, so of them only damage is known.
    """
    listed = _listed_frames(container, stream)
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
    if ended_early or decoder.packets < listed:
        return f"truncated: {count}"
    if decoder.failed or read < listed:
        return f"damaged: {count}"
    holes = decoder.incomplete
    return f"damaged: {holes} of {read} frames come from incomplete data" if holes else ""


def _listed_frames(container: InputContainer, stream: VideoStream) -> int:
    """How many frames the index lists to be shown: the stream's count includes hidden ones."""
    if "mov" not in container.format.name.split(","):
        return 0
    return sum(not entry.is_discard for entry in stream.index_entries)


def _missing_s(container: InputContainer, stream: VideoStream, decoder: Decoder) -> float:
    """Seconds between the last packet's end and the promised one, 0 within the slack."""
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
    # The file may go on after its last picture with sound.
    alone = len(container.streams) == 1
    return (container.duration or 0) / _MICROSECONDS if alone else 0.0
