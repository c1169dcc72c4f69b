"""Unreadable files are refused early; of a damaged file the readable part is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

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
