"""Unreadable files are refused early; of a damaged file the readable part is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from field_coded import field_coded
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources import Source, open_source
from videos import make_video, read_index

FRONT = {"movflags": "faststart"}
FRAMES = 60


def opened(path: Path) -> Source:
    return open_source("a", CameraConfig(source=str(path)))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        opened(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def busy_video(path: Path, **more: object) -> Path:
    """Large pictures, so that the coded data is far longer than the headers."""
    noise = np.random.default_rng(0)
    images = [noise.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(FRAMES)]
    return make_video(path, images, options={"g": "5", "bf": "0"}, **more)


def cut(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def test_missing_file_with_the_nearest_name(tmp_path: Path) -> None:
    make_video(tmp_path / "cam01.mp4", 1)
    message = refusal(tmp_path / "cam1.mp4")
    assert "no such file" in message
    assert "cam01.mp4" in message


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert "empty (0 bytes)" in refusal(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.mp4", "not a readable video"), ("a.txt", "text file")]
)
def test_text_file(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).write_text("hello, this is text\n" * 100)
    assert expected in refusal(tmp_path / name)


def test_audio_only(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts, sound.time_base = 8000, 0, Fraction(1, 8000)
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    assert "contains no video, only audio" in refusal(path)


def test_unknown_codec(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 3)
    data = path.read_bytes()
    assert b"avc1" in data
    path.write_bytes(data.replace(b"avc1", b"zzzz"))
    assert "no decoder" in refusal(path)


def test_mp4_cut_before_its_index(tmp_path: Path) -> None:
    message = refusal(cut(busy_video(tmp_path / "a.mp4"), 0.5))
    assert "its index (moov box) is missing" in message


def test_mp4_cut_inside_its_index(tmp_path: Path) -> None:
    path = busy_video(tmp_path / "a.mp4", container_options=FRONT)
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"mdat") - 400])
    assert "its index (moov box) is missing" in refusal(path)


def test_a_video_without_a_decodable_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 3, container_options=FRONT)
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 4
    data[start:] = b"\xff" * (len(data) - start)
    path.write_bytes(data)
    assert "no frame" in refusal(path)


@contextmanager
def without_permission(path: Path) -> Iterator[None]:
    """Remove all permissions; root, which may read everything, drops its privileges meanwhile."""
    mode = path.stat().st_mode
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(mode)


@pytest.mark.parametrize("folder", [False, True])
def test_no_permission_to_read(tmp_path: Path, folder: bool) -> None:
    path = make_video(tmp_path / "a.mp4", 1)
    with without_permission(tmp_path if folder else path):
        assert "Permission denied" in refusal(path)


@pytest.mark.parametrize(
    ("suffix", "total"), [("mp4", "60"), ("avi", "about 60"), ("mkv", "about 60")]
)
def test_the_readable_part_of_a_truncated_file(tmp_path: Path, suffix: str, total: str) -> None:
    options = FRONT if suffix == "mp4" else {}
    path = cut(busy_video(tmp_path / f"a.{suffix}", container_options=options), 0.5)
    source = opened(path)
    frames = list(source.frames())
    assert 20 < len(frames) < 40
    assert source.fault == f"truncated: {len(frames)} of {total} frames could be read"
    whole = opened(busy_video(tmp_path / f"whole.{suffix}", container_options=options))
    for frame, same in zip(frames[:20], whole.frames(), strict=False):
        assert np.array_equal(frame.image, same.image)


@pytest.mark.parametrize("suffix", ["avi", "mkv"])
def test_a_missing_end_is_noticed(tmp_path: Path, suffix: str) -> None:
    source = opened(cut(busy_video(tmp_path / f"a.{suffix}"), 0.85))
    read = len(list(source.frames()))
    assert 45 < read < 55
    assert source.fault == f"truncated: {read} of about 60 frames could be read"


def test_one_bad_packet_costs_one_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 20, options={"g": "1", "bf": "0"})
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    position, size = packets[7]
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    source = opened(path)
    frames = list(source.frames())
    assert [read_index(frame.image) for frame in frames] == [*range(7), *range(8, 20)]
    assert [frame.index for frame in frames] == list(range(19))
    assert frames[7].timestamp == pytest.approx(0.8)
    assert source.fault == "damaged: 19 of 20 frames could be read"


def test_damage_in_the_last_packet_loses_no_other_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 20, options={"g": "1", "bf": "0"})
    with av.open(str(path)) as container:
        position, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][-1]
    data = bytearray(path.read_bytes())
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    source = opened(path)
    assert [read_index(frame.image) for frame in source.frames()] == list(range(19))
    assert source.fault == "damaged: 19 of 20 frames could be read"


def test_a_stream_with_missing_packets_is_damaged(tmp_path: Path) -> None:
    path = busy_video(tmp_path / "a.ts")
    data = path.read_bytes()
    packet = 188
    middle = len(data) // packet // 2 * packet
    path.write_bytes(data[:middle] + data[middle + 2 * packet :])
    source = opened(path)
    assert len(list(source.frames())) >= FRAMES - 2
    assert source.fault.startswith("damaged: ")


def moving_noise(count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    return [np.roll(noise, (index, 2 * index), (0, 1)) for index in range(count)]


def with_rubbish(path: Path, at: float, length: int = 3000) -> Path:
    """Overwrite ``length`` bytes of the coded data, as a bad sector does."""
    data = bytearray(path.read_bytes())
    start = max(0, data.find(b"mdat"))
    first = start + int((len(data) - start) * at)
    data[first : first + length] = np.random.default_rng(3).bytes(length)
    path.write_bytes(data)
    return path


def test_damage_that_a_player_conceals_is_told(tmp_path: Path) -> None:
    options = {"bf": "3", "g": "25"}
    path = make_video(tmp_path / "a.mp4", moving_noise(100), 25, options=options)
    data = path.read_bytes()
    for at in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        path.write_bytes(data)
        source = opened(with_rubbish(path, at))
        read = len(list(source.frames()))
        # What could be decoded only in part is not shown.
        assert 80 <= read < 100
        assert source.fault == f"damaged: {read} of 100 frames could be read"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv", "h264", "mjpeg", "avi", "ts"])
def test_a_bad_bit_is_told_whatever_the_container(tmp_path: Path, suffix: str) -> None:
    codec = {"mjpeg": "mjpeg", "avi": "mpeg4"}.get(suffix, "libx264")
    path = make_video(
        tmp_path / f"a.{suffix}",
        moving_noise(50),
        25,
        codec=codec,
        pix_fmt="yuvj420p" if suffix == "mjpeg" else "yuv420p",
    )
    whole = opened(path)
    times = [frame.timestamp for frame in whole.frames()]
    assert (len(times), whole.fault) == (50, "")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = np.random.default_rng(3).bytes(400)
    path.write_bytes(data)
    source = opened(path)
    left = [frame.timestamp for frame in source.frames()]
    assert source.fault.startswith(("damaged: ", "truncated: "))
    if suffix == "mkv":
        # FFmpeg finds no block after the bad ones.
        return
    # What is lost moves nothing after it.
    assert left[-1] == pytest.approx(times[-1], abs=0.09)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
def test_two_fields_are_one_picture(tmp_path: Path, suffix: str) -> None:
    source = opened(field_coded(tmp_path / f"a.{suffix}", 12))
    frames = list(source.frames())
    assert [round(frame.timestamp, 3) for frame in frames] == [n / 25 for n in range(12)]
    assert (source.fps, source.fault) == (25, "")
    grey = [int(frame.image.mean()) for frame in frames]
    assert grey == sorted(set(grey))


def test_a_truncated_file_of_fields(tmp_path: Path) -> None:
    source = opened(cut(field_coded(tmp_path / "a.mp4", 20), 0.5))
    read = len(list(source.frames()))
    assert 7 < read < 11
    assert source.fault == f"truncated: {read} of 20 frames could be read"


def test_a_lost_picture_among_fields(tmp_path: Path) -> None:
    path = field_coded(tmp_path / "a.mp4", 20)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size in packets[14:16]:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    source = opened(path)
    assert len(list(source.frames())) == 19
    assert source.fault == "damaged: 19 of 20 frames could be read"


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("later_s", [0.0, 3.0, 600.0])
def test_joined_transport_streams_are_whole(tmp_path: Path, later_s: float) -> None:
    parts = [
        make_video(
            tmp_path / f"{begin_s}.ts",
            moving_noise(30),
            options={"bf": "0"},
            times=[begin_s + n / 10 for n in range(30)],
        )
        for begin_s in (0.0, later_s)
    ]
    source = opened(joined(tmp_path / "a.ts", *parts))
    frames = list(source.frames())
    assert (len(frames), source.fault) == (60, "")
    # Where the second begins anew, it continues after the first.
    assert frames[-1].timestamp == pytest.approx(max(later_s, 3) + 2.9, abs=0.01)


def test_joined_transport_streams_of_another_codec(tmp_path: Path) -> None:
    options: dict[str, object] = {"codec": "mpeg2video", "fps": 25}
    one = make_video(tmp_path / "one.ts", moving_noise(30), **options)
    source = opened(joined(tmp_path / "a.ts", one, one, one))
    assert (len(list(source.frames())), source.fault) == (90, "")


def test_a_hole_in_a_transport_stream_is_no_joint(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", moving_noise(30), options={"bf": "0", "g": "12"})
    packets = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 188)
    video = np.flatnonzero((packets[:, 1] & 0x1F == 1) & (packets[:, 2] == 0))
    for at in video[20:-20:40]:
        np.delete(packets, [at, at + 1], 0).tofile(path)
        source = opened(path)
        list(source.frames())
        assert source.fault.startswith("damaged: ")


def test_the_second_of_joined_mp4_files_is_named(tmp_path: Path) -> None:
    one = make_video(tmp_path / "one.mp4", 10)
    source = opened(joined(tmp_path / "a.mp4", one, one))
    assert len(list(source.frames())) == 10
    assert source.fault.startswith("1 of 2 joined recordings was read")


def two_cameras(path: Path) -> Path:
    """A file with two video streams of 10 frames: a dark one and a bright one."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            for grey, stream in zip((40, 190), streams, strict=True):
                image = np.full((48, 64, 3), grey, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_second_video_stream_is_named_or_read(tmp_path: Path, suffix: str) -> None:
    path = two_cameras(tmp_path / f"dash.{suffix}")
    source = opened(path)
    assert len(list(source.frames())) == 10
    assert source.fault.startswith("1 of its 2 video streams was read")
    for number, grey in ((1, 40), (2, 190)):
        one = open_source("a", CameraConfig(source=str(path), stream=number))
        frames = list(one.frames())
        assert (len(frames), one.fault) == (10, "")
        assert frames[4].image.mean() == pytest.approx(grey, abs=8)
    with pytest.raises(UserError, match=r"no video stream 3: it has 2"):
        open_source("a", CameraConfig(source=str(path), stream=3))


def test_rubbish_between_the_blocks_of_a_matroska_file(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", moving_noise(50), 25, options={"bf": "0", "g": "25"})
    data = path.read_bytes()
    source = opened(path)
    assert (len(list(source.frames())), source.fault) == (50, "")
    for at in (0.2, 0.35, 0.5, 0.65, 0.8):
        path.write_bytes(data)
        source = opened(with_rubbish(path, at))
        list(source.frames())
        assert source.fault


@pytest.mark.parametrize("options", [{}, {"live": "1"}, {"cluster_time_limit": "200"}])
@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_whole_matroska_files_are_whole(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    codec = {"mkv": "libx264", "webm": "libvpx"}[suffix]
    path = make_video(tmp_path / f"a.{suffix}", 30, codec=codec, container_options=options)
    source = opened(joined(tmp_path / f"b.{suffix}", path, path))
    assert (len(list(source.frames())), source.fault) == (60, "")
