"""Decode packets into images, count what could not be decoded, and select the hardware."""

import logging
import re
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray


class Decoder:
    """Decodes one stream to its end and continues after a packet that cannot be decoded.

    ``packets`` counts the packets read, ``failed`` those that could not be decoded, ``incomplete``
    those that the container marks as corrupt. ``end`` is the end of the last packet, in units of
    the stream's time base. ``stopped`` is why reading ended before the end of the stream.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        # Frame threading would lose the frames after a damaged one when the decoder is flushed,
        # and would conceal damage differently from run to run.
        stream.thread_type = "SLICE"
        self.packets = 0
        self.failed = 0
        self.incomplete = 0
        self.end = 0
        self.stopped = ""

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame in presentation order."""
        try:
            for packet in self._container.demux(self._stream):
                # An empty packet repeats the frame before it; the decoder would treat it as the
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
    """FFmpeg's description of the error, without the address it was opening."""
    return error.strerror or type(error).__name__


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first video stream that is not a cover picture, or None."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def has_decoder(stream: VideoStream) -> bool:
    """Whether this FFmpeg can decode the stream's codec."""
    context: av.VideoCodecContext | None = stream.codec_context
    return context is not None


def average_fps(stream: VideoStream) -> float:
    """Average frames per second; 0 when the container does not give them."""
    return float(stream.average_rate or stream.guessed_rate or 0)


def own_fps(stream: VideoStream) -> float:
    """Frames per second stated by the coded stream itself; 0 when it states none.

    For a raw stream (.h264, .hevc) the container's rate is only FFmpeg's default of 25.
    """
    return float(stream.codec_context.framerate or 0)


def to_image(frame: VideoFrame) -> NDArray[np.uint8]:
    """The image as a player shows it, upright: ``(H, W, 3)`` uint8 BGR, contiguous."""
    # One thread per camera: cameras already run in parallel, and more threads only contend.
    image = frame.reformat(format="bgr24", threads=1).to_ndarray()
    return np.ascontiguousarray(_upright(image, frame), dtype=np.uint8)


def _upright(image: NDArray[Any], frame: VideoFrame) -> NDArray[Any]:
    """``image`` rotated and mirrored by the frame's display matrix.

    The matrix maps a pixel (x, y) to (a x + c y, b x + d y), up to a shift.
    """
    side_data: Any = frame.side_data
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    if matrix is None:
        return image
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(a) < abs(b):
        # A rotation by 90 degrees swaps rows and columns.
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


_MICROSECONDS = 1_000_000
_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
#: A file that ends at most this many frames early is complete: an mkv need not give the duration
#: of its last frame.
_SLACK = {"avi": 0.5, "matroska,webm": 1.5}


def shortfall(container: InputContainer, stream: VideoStream, decoder: Decoder, read: int) -> str:
    """How many frames were read out of how many, and why not all; empty when all were read.

    mp4 and mov list their frames. avi and mkv only give their duration, so the total is an
    estimate. Other containers give neither, so only damage is detected.
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
    """The number of visible frames in the index; the stream's own count includes hidden ones."""
    if "mov" not in container.format.name.split(","):
        return 0
    return sum(not entry.is_discard for entry in stream.index_entries)


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


_LOG = logging.getLogger(__name__)


def warn_if_unavailable(kind: str, camera_id: str) -> None:
    """Log a warning when the configured hardware decoder ``kind`` is not available."""
    if kind != "none" and unavailable_reason(kind):
        reason = unavailable_reason(kind)
        _LOG.warning(
            "camera %s: no hardware decoding by %s: %s. Decoding on the CPU instead",
            *(camera_id, kind, reason),
        )


def accelerator(kind: str) -> HWAccel | None:
    """The argument of `av.open` for decoding by ``kind``; None for "none" or when unavailable.

    A codec that the hardware does not support is decoded on the CPU.
    """
    if kind == "none" or unavailable_reason(kind):
        return None
    return HWAccel(kind, allow_software_fallback=True)


@cache
def unavailable_reason(kind: str) -> str:
    """Why ``kind`` cannot decode H.264 here; empty when it can."""
    known = hwdevices_available()
    if kind not in known:
        return f"this build of FFmpeg supports only {', '.join(sorted(known))}"
    try:
        HWAccel(kind, allow_software_fallback=False).create(av.Codec("h264", "r"))
    except NotImplementedError:
        return "this build of FFmpeg cannot decode H.264 with it"
    except FFmpegError as error:
        return f"no such device, or no driver for it ({error.strerror})"
    return ""
