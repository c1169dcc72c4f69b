"""Write images as an H.264 video that keeps the timestamp of every image, and read one of them."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from math import isfinite
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import UserError
from reid_model.atomic_file import replacing

Image = NDArray[np.uint8]

_TIME_BASE = Fraction(1, 90_000)
_QUALITY = {"crf": "23", "preset": "veryfast"}
# H.273 number of BT.709, the colour space that players assume by default.
_BT709 = 1


def write_video(path: Path, frames: Iterator[tuple[float, Image]]) -> int:
    """Write (timestamp in seconds, image ``(H, W, 3)`` uint8 BGR) pairs as ``path``, an mp4.

    The video starts at 0 with the first pair and keeps the time differences. An odd width or
    height is padded by one pixel; an image of another size than the first is scaled to it. The
    file appears when it is complete. Returns the number of images; with none, nothing is written.
    Raises OSError when the file cannot be written.
    """
    first = next(frames, None)
    if first is None:
        return 0
    with replacing(path) as partial:
        # Pictures of people are for their owner alone.
        partial.touch(mode=0o600)
        with av.open(partial, "w", format="mp4") as container:
            stream = _h264_stream(container, first[1])
            return _encode(container, stream, chain([first], frames))


def _h264_stream(container: OutputContainer, image: Image) -> VideoStream:
    stream = container.add_stream("libx264", options=_QUALITY)
    stream.height, stream.width = (length + length % 2 for length in image.shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = _TIME_BASE
    stream.codec_context.colorspace = _BT709
    stream.codec_context.color_primaries = _BT709
    stream.codec_context.color_trc = _BT709
    return stream


def _encode(
    container: OutputContainer, stream: VideoStream, frames: Iterator[tuple[float, Image]]
) -> int:
    count, pts = 0, -1
    start = 0.0
    for count, (moment, image) in enumerate(frames, start=1):
        start = moment if count == 1 else start
        # The encoder rejects equal timestamps: the second image is placed one tick later.
        pts = max(round((moment - start) / _TIME_BASE), pts + 1)
        container.mux(stream.encode(_video_frame(image, stream, pts)))
    container.mux(stream.encode())
    return count


def _video_frame(image: Image, stream: VideoStream, pts: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(_fitted(image, stream.width, stream.height), format="bgr24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    frame.pts, frame.time_base = pts, _TIME_BASE
    return frame


def _fitted(image: Image, width: int, height: int) -> Image:
    below, right = height - image.shape[0], width - image.shape[1]
    if below in (0, 1) and right in (0, 1):
        return np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
    return np.asarray(cv2.resize(image, (width, height)), np.uint8)


def frame_at(path: Path, seconds: float) -> tuple[float, Image]:
    """The last image until ``seconds`` after the start of the video ``path``, and its own time.

    The image is ``(H, W, 3)`` uint8 BGR; infinity gives the last one, and a time before the first
    the first. Raises UserError when the video is damaged.
    """
    found: VideoFrame | None = None
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            container.seek(_ticks(stream, seconds), stream=stream)
            for frame in container.decode(stream):
                if found is not None and frame.time > seconds:
                    break
                found = frame
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise UserError(
            f"{path} is damaged: {error}. Expected a video written by fusetrack"
        ) from error
    if found is None:
        raise UserError(f"{path} is damaged: it has no picture. Expected one written by fusetrack")
    return float(found.time or 0.0), np.asarray(found.to_ndarray(format="bgr24"), np.uint8)


def _ticks(stream: VideoStream, seconds: float) -> int:
    """``seconds``, at most the duration, in the time base of ``stream``."""
    end = stream.duration or 0
    wanted = end if not isfinite(seconds) else round(max(seconds, 0.0) / (stream.time_base or 1))
    return min(int(wanted), end)
