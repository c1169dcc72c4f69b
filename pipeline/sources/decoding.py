"""Packets to pictures, with a count of what could not be decoded."""

from collections.abc import Iterator, Sequence

import av
import numpy as np
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
