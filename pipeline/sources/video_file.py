"""A video file as a source: every frame with its timestamp from the container."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.clock import Timeline, start_of, with_following
from pipeline.sources.decoding import (
    Decoder,
    accelerator,
    has_decoder,
    own_fps,
    picture_fps,
    reason_of,
    video_streams,
    warn_if_unavailable,
)
from pipeline.sources.files import indexes, lacks_index, readable_file
from pipeline.sources.picture import picture_of
from pipeline.sources.shortfall import shortfall
from pipeline.sources.source import Frame

_DEFAULT_FPS = 25.0
# Up to this many frames in a row may have a wrong time. Each of them is a picture in memory.
_LOOK_AHEAD = 4


class VideoFile:
    """One camera from a file in any container that FFmpeg reads.

    Timestamps are the container's, relative to the first frame, plus a start: the configured one,
    else the container's creation time, else the epoch. A stream without times gets ``config.fps``,
    else its own rate, else 25 frames per second.
    """

    live = False

    def __init__(self, camera_id: str, source: str, config: CameraConfig) -> None:
        self.camera_id = camera_id
        self.fault = ""
        self._path = readable_file(source)
        self._hwaccel = config.hwaccel
        warn_if_unavailable(config.hwaccel, camera_id)
        self._stream = config.stream
        with _open(self._path, self._hwaccel) as container:
            stream = _stream_of(container, self._path, self._stream)
            frames = Decoder(container, stream).frames()
            first = next(frames, None)
            if first is None:
                raise UserError(
                    f"{self._path}: no frame of its {stream.codec_context.name} video can be "
                    "decoded. Expected an undamaged video"
                )
            self.height, self.width = picture_of(first).shape
            self._times = _FrameTimes(container, stream, first)
            self.fps = picture_fps(stream, first, next(frames, None))
            self._timed = self._times.offset_s(first) is not None
            if first.pts is None:
                self.fps = config.fps or own_fps(stream) or self.fps
            self._start, self.timestamp_origin = start_of(config, container.metadata)
            self.span = self._start, self._start + (container.duration or 0) / av.time_base

    def frames(self) -> Iterator[Frame]:
        """Every frame that can be decoded; afterwards ``fault`` says how many could not."""
        timeline = Timeline(self._start, 1 / (self.fps or _DEFAULT_FPS))
        with _open(self._path, self._hwaccel) as container:
            stream = _stream_of(container, self._path, self._stream)
            decoder = Decoder(container, stream)
            frames = with_following(decoder.frames(), _LOOK_AHEAD)
            for index, (frame, after) in enumerate(frames):
                following = [self._times.offset_s(one) for one in after]
                offset = self._times.offset_s(frame)
                if not self._timed:
                    # A picture that could not be decoded has had its time.
                    offset = (index + decoder.lost) / (self.fps or _DEFAULT_FPS)
                timestamp = timeline.next_timestamp(offset, following)
                yield Frame(self.camera_id, index, timestamp, picture_of(frame))
            faults = [shortfall(container, stream, decoder, self._path), self._unread(container)]
            self.fault = "; ".join(fault for fault in faults if fault)

    def _unread(self, container: InputContainer) -> str:
        """What the file holds besides the stream that was read; empty when that is nothing."""
        streams = len(video_streams(container))
        if streams > 1 and self._stream is None:
            return (
                f"1 of its {streams} video streams was read. Give it as {streams} cameras of a "
                f"site file, with stream: 1 to stream: {streams}"
            )
        recordings = indexes(self._path)
        if recordings > 1:
            return (
                f"1 of {recordings} joined recordings was read. Give each as a file of its own, or "
                "join them with ffmpeg -f concat"
            )
        return ""


class _FrameTimes:
    """Times of frames in seconds since the first frame of the stream."""

    def __init__(self, container: InputContainer, stream: VideoStream, first: VideoFrame) -> None:
        # An AVI has no presentation times. FFmpeg's estimates are not monotonic where frames are
        # reordered; the decoding times are.
        self._by_dts = container.format.name == "avi"
        self._unit_s = float(stream.time_base or 0)
        start = first.dts if self._by_dts else stream.start_time
        self._start = start if start is not None else self._time(first) or 0

    def offset_s(self, frame: VideoFrame) -> float | None:
        """Seconds since the first frame; None when the container has no time for this one."""
        time = self._time(frame)
        return None if time is None else (time - self._start) * self._unit_s

    def _time(self, frame: VideoFrame) -> int | None:
        return frame.dts if self._by_dts else frame.pts


def _open(path: Path, hwaccel: str) -> InputContainer:
    try:
        # Without the protocol FFmpeg takes a name with a colon for an address.
        container = av.open(f"file:{path}", metadata_errors="replace", hwaccel=accelerator(hwaccel))
    except FFmpegError as error:
        raise _cannot_open(path, error) from error
    # FFmpeg opens any .txt as a video of coloured letters.
    if container.format.name == "tty":
        container.close()
        raise UserError(f"{path} is a text file: expected a video, pictures or a .parquet file")
    return container


def _cannot_open(path: Path, error: FFmpegError) -> UserError:
    if lacks_index(path):
        return UserError(
            f"{path} is truncated: its index (moov box) is missing, so no frame can be located. "
            "Copy it again or repair it; a truncated mkv stays readable"
        )
    return UserError(
        f"{path} is not a readable video ({reason_of(error)}). "
        "Expected mp4, mkv, avi, mov or another container that FFmpeg supports"
    )


def _stream_of(container: InputContainer, path: Path, number: int | None) -> VideoStream:
    """The video stream with this number, counted from 1; the first one without a number."""
    streams = video_streams(container)
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        only = f", only {' and '.join(kinds)}" if kinds else ""
        raise UserError(f"{path} contains no video{only}. Expected a file with a video stream")
    if number is not None and number > len(streams):
        raise UserError(f"{path} has no video stream {number}: it has {len(streams)}")
    stream = streams[(number or 1) - 1]
    if not has_decoder(stream):
        raise UserError(
            f"{path}: no decoder for its video codec is installed. "
            "Convert it first: ffmpeg -i IN -c:v libx264 OUT.mp4"
        )
    return stream
