"""Small videos made in the test, in which every picture says which one it is."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_BITS = 8


def picture(index: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A BGR picture of ``size`` (width, height) with ``index`` (0..255) as eight grey bars."""
    width, height = size
    bits = [index >> bit & 1 for bit in range(_BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 160 + 40, -(-width // _BITS))[:width]
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def read_index(image: NDArray[np.uint8]) -> int:
    """The index that `picture` wrote into ``image``."""
    bar = -(-image.shape[1] // _BITS)
    middle = image[image.shape[0] // 2, bar // 2 :: bar].mean(axis=1)
    return sum(1 << bit for bit, value in enumerate(middle[:_BITS]) if value > 120)


def make_video(
    path: Path,
    frames: int | Sequence[NDArray[np.uint8]] = 20,
    fps: float = 10.0,
    size: tuple[int, int] = (64, 48),
    *,
    codec: str | None = None,
    pix_fmt: str = "yuv420p",
    times: Sequence[float] | None = None,
    rotation: int | None = None,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write ``frames`` (how many, or BGR images), return ``path``, whose suffix says the container.

    ``times`` are the frames' seconds (in an avi multiples of ``1 / fps``), without it they come at
    ``fps``. ``rotation`` turns the picture counter-clockwise when it is shown. ``options`` go to
    the codec.
    """
    count = frames if isinstance(frames, int) else len(frames)
    images = [picture(i, size) for i in range(count)] if isinstance(frames, int) else list(frames)
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        name = codec or ("mpeg4" if path.suffix == ".avi" else "libx264")
        stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1000))
        stream.options = options or {}
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        unit = 1 / stream.average_rate if path.suffix == ".avi" else Fraction(1, 1000)
        if times is not None:
            stream.codec_context.time_base = unit
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_audio(path: Path) -> None:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def shorten(path: Path, out: Path, frames: int) -> Path:
    """Write the first ``frames`` of a video as they are, and return ``out``.

    The last few differ where they refer to later ones: in the demo's clips unless ``frames`` is
    one more than a multiple of four.
    """
    with av.open(str(path)) as video, av.open(str(out), "w") as container:
        stream = container.add_stream_from_template(video.streams.video[0])
        for packet in itertools.islice(video.demux(video=0), frames):
            packet.stream = stream
            container.mux(packet)
    return out
