"""Decode packets into images, and select the hardware."""

import logging
import struct
from array import array
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
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray


class Decoder:
    """Decodes one stream to its end and continues after a packet that cannot be decoded.

    ``packets`` counts the packets read, ``failed`` those that could not be decoded, ``incomplete``
    those that the container marks as corrupt; ``decoded`` counts the frames, ``concealed`` those
    in which the decoder replaced missing data. ``end`` is the end of the last packet, in units of
    the stream's time base. ``stopped`` is why reading ended before the end of the stream.
    ``packet_times``, ``frame_times`` and ``interlaced_times`` are presentation times, of packets
    in decoding order.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        # Frame threading would lose the frames after a damaged one when the decoder is flushed,
        # and would conceal damage differently from run to run.
        stream.thread_type = "SLICE"
        # Damage that a decoder notices is an error then, not only a line in the log of FFmpeg. That
        # of H.264 tells it only where it has a single thread.
        stream.codec_context.options = {"err_detect": "explode"}
        if stream.codec_context.name == "h264":
            stream.codec_context.thread_count = 1
        self.packets = 0
        self.decoded = 0
        self.failed = 0
        self.incomplete = 0
        self.concealed = 0
        self.end = 0
        self.stopped = ""
        self.packet_times = array("q")
        self.frame_times = array("q")
        self.interlaced_times = array("q")

    @property
    def lost(self) -> int:
        """Failed packets without a picture: one may be shown although a part was an error."""
        return min(self.failed, max(self.packets - self.decoded, 0))

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
            self.packet_times.append(packet.pts)
            self.end = max(self.end, packet.pts + (packet.duration or 0))

    def _decode(self, packet: "Packet[VideoStream] | None") -> Sequence[VideoFrame]:
        try:
            frames = self._stream.codec_context.decode(packet)
        except FFmpegError:
            self.failed += 1
            return []
        for frame in frames:
            self._count_frame(frame)
        return frames

    def _count_frame(self, frame: VideoFrame) -> None:
        self.decoded += 1
        self.concealed += frame.is_corrupt
        if frame.pts is not None:
            self.frame_times.append(frame.pts)
            if frame.interlaced_frame:
                self.interlaced_times.append(frame.pts)


def reason_of(error: FFmpegError) -> str:
    """FFmpeg's description of the error, without the address it was opening."""
    return error.strerror or type(error).__name__


_STILL = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams, without cover pictures and thumbnails."""
    return [stream for stream in container.streams.video if not stream.disposition & _STILL]


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first video stream, or None."""
    return next(iter(video_streams(container)), None)


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


def picture_fps(stream: VideoStream, first: VideoFrame, second: VideoFrame | None) -> float:
    """Average pictures per second; 0 when unknown.

    An mp4 or mov of interlaced video may hold one field per sample, and the container's rate is
    then that of fields.
    """
    average = average_fps(stream)
    if second is None or first.pts is None or second.pts is None or not first.interlaced_frame:
        return average
    samples = (second.pts - first.pts) * float(stream.time_base or 0) * average
    return average / samples if abs(samples - 2) < _FIELDS_TOLERANCE else average


_FIELDS_TOLERANCE = 0.5


def to_image(frame: VideoFrame) -> NDArray[np.uint8]:
    """The image as a player shows it, upright: ``(H, W, 3)`` uint8 BGR, contiguous."""
    shown = in_bgr(frame)
    return np.ascontiguousarray(_upright(shown.to_ndarray(), shown), dtype=np.uint8)


def as_coded(frame: VideoFrame) -> NDArray[np.uint8]:
    """The image, neither turned nor mirrored: ``(H, W, 3)`` uint8 BGR, contiguous."""
    return np.ascontiguousarray(in_bgr(frame).to_ndarray(), dtype=np.uint8)


def in_bgr(frame: VideoFrame) -> VideoFrame:
    """The frame as coded, converted to bgr24."""
    # One thread per camera: cameras already run in parallel, and more threads only contend.
    return frame.reformat(format="bgr24", threads=1)


def is_upright(frame: VideoFrame) -> bool:
    """Whether the picture is coded as a player shows it, without a display matrix."""
    return _display_matrix(frame) is None


def _upright(image: NDArray[Any], frame: VideoFrame) -> NDArray[Any]:
    """``image`` rotated and mirrored by the frame's display matrix.

    The matrix maps a pixel (x, y) to (a x + c y, b x + d y), up to a shift.
    """
    matrix = _display_matrix(frame)
    if matrix is None:
        return image
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if abs(a) < abs(b):
        # A rotation by 90 degrees swaps rows and columns.
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _display_matrix(frame: VideoFrame) -> bytes | None:
    # A frame whose side data was read refers to itself, and its memory stays until the garbage
    # collector comes by. A small copy with the same side data may stay.
    small = frame.reformat(16, 16, "gray", interpolation=Interpolation.POINT, threads=1)
    side_data: Any = small.side_data
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    return None if matrix is None else bytes(matrix)


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
