"""Packets to pictures, with a count of what could not be decoded."""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray


class Decoder:
    """Decodes one stream to its end and goes on after a packet that cannot be decoded.

    ``packets`` counts what was read, ``failed`` what could not be decoded, ``incomplete`` what the
    container says has holes. ``end`` is where the last packet ends, in units of the stream's time
    base. ``stopped`` says why reading ended before the end of the stream.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        # Frame threads would lose the pictures behind a damaged one when the decoder is emptied,
        # and conceal damage differently from run to run.
        stream.thread_type = "SLICE"
        self.packets = 0
        self.failed = 0
        self.incomplete = 0
        self.end = 0
        self.stopped = ""

    def frames(self) -> Iterator[VideoFrame]:
        """Every picture in the order in which it is shown."""
        try:
            for packet in self._container.demux(self._stream):
                # An empty packet repeats the picture before it; the decoder would take it for the
                # end of the stream.
                if packet.size:
                    self._count(packet)
                    yield from self._decode(packet)
        except FFmpegError as error:
            self.stopped = reason_of(error)
        yield from self._decode(None)

    def _count(self, packet: "Packet[VideoStream]") -> None:
        if not packet.is_discard:
            self.packets += 1
        self.incomplete += packet.is_corrupt
        if packet.pts is not None:
            self.end = max(self.end, packet.pts + (packet.duration or 0))

    def _decode(self, packet: "Packet[VideoStream] | None") -> Sequence[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except FFmpegError:
            self.failed += 1
            return []


def reason_of(error: FFmpegError) -> str:
    """What FFmpeg says is wrong, without the address it was opening."""
    return error.strerror or type(error).__name__


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures (a cover picture is none), or None."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def has_decoder(stream: VideoStream) -> bool:
    """Whether this FFmpeg can decode the stream's codec."""
    context: av.VideoCodecContext | None = stream.codec_context
    return context is not None


def average_fps(stream: VideoStream) -> float:
    """Frames a second on average, 0 when the container does not say."""
    return float(stream.average_rate or stream.guessed_rate or 0)


def to_image(frame: VideoFrame) -> NDArray[np.uint8]:
    """The upright picture: ``(H, W, 3)`` uint8 BGR, contiguous."""
    # One thread converts faster than two that wait for each other, and cameras run side by side.
    image = frame.reformat(format="bgr24", threads=1).to_ndarray()
    # The display matrix turns counter-clockwise, as rot90 does.
    upright = np.rot90(image, round(frame.rotation / 90))
    return np.ascontiguousarray(upright, dtype=np.uint8)


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


_LOG = logging.getLogger(__name__)


def tell_why_not(kind: str, camera_id: str) -> None:
    """Warn in the log when the camera cannot be decoded by ``kind`` though that was asked for."""
    if kind != "none" and why_not(kind):
        reason = why_not(kind)
        _LOG.warning(
            "camera %s: no decoding by %s: %s. The processor decodes", camera_id, kind, reason
        )


def accelerator(kind: str) -> HWAccel | None:
    """What `av.open` takes to decode by ``kind``; None for "none" and where there is none of it.

    A codec that the hardware does not know is decoded by the processor.
    """
    if kind == "none" or why_not(kind):
        return None
    return HWAccel(kind, allow_software_fallback=True)


@cache
def why_not(kind: str) -> str:
    """Why ``kind`` cannot decode H.264 here; empty when it can."""
    known = hwdevices_available()
    if kind not in known:
        return f"this build of FFmpeg knows only {', '.join(sorted(known))}"
    try:
        HWAccel(kind, allow_software_fallback=False).create(av.Codec("h264", "r"))
    except NotImplementedError:
        return "this build of FFmpeg cannot decode H.264 with it"
    except FFmpegError as error:
        return f"no such device, or no driver for it ({error.strerror})"
    return ""
