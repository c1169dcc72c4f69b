"""A camera that is watched as it happens: an RTSP or HTTP address, or a webcam."""

import sys
import time
from collections.abc import Callable, Iterator

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.video.stream import VideoStream

from pipeline.errors import UserError
from pipeline.frame import Frame
from pipeline.sources.decoding import (
    Decoder,
    average_fps,
    has_decoder,
    reason_of,
    to_image,
    video_stream,
)
from pipeline.sources.kinds import is_url
from pipeline.sources.redact import redact
from pipeline.sources.timeline import Timeline

_OPEN_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 5.0
_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
#: How FFmpeg names a webcam: input format and the text before its index.
_WEBCAMS = {"linux": ("v4l2", "/dev/video"), "darwin": ("avfoundation", "")}


class LiveSource:
    """One live camera. The timestamp of a frame is when it arrived, by ``clock`` (seconds UTC).

    A stream that ends or fails ends ``frames``, which can be read once; ``fault`` says why.
    Reading starts when the source is opened. No message holds the camera's password.
    """

    live = True
    timestamp_origin = "arrival"

    def __init__(self, camera_id: str, source: str, clock: Callable[[], float] = time.time) -> None:
        self.camera_id = camera_id
        self.fault = ""
        self._clock = clock
        self._name = redact(source) if is_url(source) else f"webcam {source}"
        self._container = _open(source, self._name)
        self._stream = self._checked_stream()
        self.width = self._stream.codec_context.width
        self.height = self._stream.codec_context.height
        self.fps = average_fps(self._stream)

    def frames(self) -> Iterator[Frame]:
        """Every frame as it arrives, until the stream ends or fails."""
        timeline = Timeline(0.0, 0.0)
        count = 0
        with self._container:
            decoder = Decoder(self._container, self._stream)
            for frame in decoder.frames():
                timestamp = timeline.at(self._clock())
                yield Frame(self.camera_id, count, timestamp, to_image(frame))
                count += 1
        reason = decoder.stopped or "the camera closed the stream"
        self.fault = f"{self._name} ended after {count} frames: {reason}"

    def _checked_stream(self) -> VideoStream:
        stream = video_stream(self._container)
        if stream is None or not has_decoder(stream):
            self._container.close()
            raise UserError(f"{self._name} sends no video that can be decoded here")
        return stream


def _open(source: str, name: str) -> InputContainer:
    address, input_format, options = _address(source, name)
    try:
        return av.open(
            address,
            format=input_format,
            options=options,
            metadata_errors="replace",
            timeout=(_OPEN_TIMEOUT_S, _READ_TIMEOUT_S),
        )
    except ExitError:
        reason = f"no answer within {_OPEN_TIMEOUT_S:g} s"
    except FFmpegError as error:
        reason = reason_of(error)
    # FFmpeg's own error names the whole address, password included: it must not be chained.
    raise UserError(f"cannot open {name}: {reason}. Check that it is on and reachable") from None


def _address(source: str, name: str) -> tuple[str, str | None, dict[str, str]]:
    """What FFmpeg opens: address, input format, options."""
    if not is_url(source):
        if sys.platform not in _WEBCAMS:
            raise UserError(f"{name}: webcams work on Linux and macOS. Use an RTSP address instead")
        input_format, prefix = _WEBCAMS[sys.platform]
        return prefix + str(int(source)), input_format, {}
    scheme = source.split("://", 1)[0].lower()
    if scheme not in _SCHEMES:
        raise UserError(f"{name}: expected an address with one of {', '.join(_SCHEMES)}")
    # UDP loses packets; a lost packet is a broken picture.
    return source, None, {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
