"""Every frame of a file, upright, in order, with the timestamp of its container."""

import gc
import itertools
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema import CameraConfig
from pipeline.sources import Source, open_source
from videos import make_video, picture, read_index

Image = NDArray[np.uint8]
BUSY = {"g": "5", "bf": "0"}


def opened(path: Path, **values: object) -> Source:
    return open_source("a", CameraConfig(source=str(path), **values))


def frames_of(path: Path, **values: object) -> list:
    return list(opened(path, **values).frames())


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov", "ts", "webm"])
def test_every_frame_comes_once_and_in_order(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx" if suffix == "webm" else None
    source = opened(make_video(tmp_path / f"a.{suffix}", 20, codec=codec))
    frames = list(source.frames())
    assert [read_index(frame.image) for frame in frames] == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.timestamp for frame in frames] == pytest.approx([i / 10 for i in range(20)])
    assert {frame.camera_id for frame in frames} == {"a"}
    assert (source.width, source.height, source.live) == (64, 48, False)
    assert source.fps == pytest.approx(10)
    assert source.timestamp_origin == "epoch"
    assert source.fault == ""


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_reordered_frames_are_flushed_and_keep_their_time(tmp_path: Path, suffix: str) -> None:
    path = make_video(tmp_path / f"a.{suffix}", 17, codec="libx264", options={"bf": "3"})
    with av.open(str(path)) as container:
        assert any(frame.pict_type == 3 for frame in container.decode(video=0))
    frames = frames_of(path)
    assert [read_index(frame.image) for frame in frames] == list(range(17))
    assert [frame.timestamp for frame in frames] == pytest.approx([i / 10 for i in range(17)])


def test_a_source_can_be_read_twice(tmp_path: Path) -> None:
    source = opened(make_video(tmp_path / "a.mp4", 3))
    assert len(list(source.frames())) == len(list(source.frames())) == 3


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.9, 2.0, 2.04]
    frames = frames_of(make_video(tmp_path / "a.mkv", 6, times=times))
    assert [frame.timestamp for frame in frames] == pytest.approx(times, abs=1e-6)


def test_time_counts_from_the_first_frame(tmp_path: Path) -> None:
    times = [7.0, 7.5, 8.0]
    frames = frames_of(make_video(tmp_path / "a.ts", 3, times=times))
    assert [frame.timestamp for frame in frames] == pytest.approx([0.0, 0.5, 1.0])


def test_gaps_in_an_avi_stay_gaps(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", 3, times=[0.0, 0.5, 0.6])
    source = opened(path)
    assert [frame.timestamp for frame in source.frames()] == pytest.approx([0.0, 0.5, 0.6])
    assert source.fault == ""


def test_a_stream_without_times_runs_at_the_configured_rate(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.h264", 4, options={"bf": "0"})
    source = opened(path, fps=5)
    assert source.fps == 5
    assert [frame.timestamp for frame in source.frames()] == pytest.approx([0, 0.2, 0.4, 0.6])


def test_the_configured_start_comes_first(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 2, metadata={"creation_time": "2024-07-02T12:59:22Z"})
    source = opened(path, start="2026-05-01T09:00:00+02:00")
    assert source.timestamp_origin == "config"
    assert next(iter(source.frames())).timestamp == 1777618800.0


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_creation_time_of_the_container_is_the_start(tmp_path: Path, suffix: str) -> None:
    made = {"creation_time": "2024-07-02T12:59:22Z"}
    source = opened(make_video(tmp_path / f"a.{suffix}", 2, metadata=made))
    assert source.timestamp_origin == "container"
    assert [frame.timestamp for frame in source.frames()] == pytest.approx(
        [1719925162.0, 1719925162.1]
    )


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_the_picture_is_turned_upright(tmp_path: Path, rotation: int) -> None:
    image = np.full((48, 64, 3), 20, np.uint8)
    image[:24, :32] = 230
    path = make_video(tmp_path / "a.mp4", [image] * 3, rotation=rotation)
    source = opened(path)
    seen = next(iter(source.frames())).image
    _, reference = cv2.VideoCapture(str(path)).read()
    assert np.array_equal(seen, reference)
    assert not np.array_equal(seen.shape, image.shape) or rotation == 180
    bright = {90: (-1, 0), -90: (0, -1), 180: (-1, -1)}[rotation]
    assert seen[bright].min() > 200
    assert (source.height, source.width) == seen.shape[:2]
    assert seen.flags.c_contiguous


@pytest.mark.parametrize("size", [(641, 479), (63, 48), (64, 47)])
def test_odd_sizes_are_exact(tmp_path: Path, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = make_video(tmp_path / "a.mkv", [noise], codec="ffv1", pix_fmt="bgr0")
    image = frames_of(path)[0].image
    assert np.array_equal(image, noise)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


def test_odd_sizes_with_halved_colour(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", 5, size=(641, 479))
    frames = frames_of(path)
    assert [read_index(frame.image) for frame in frames] == list(range(5))
    for frame in frames:
        assert frame.image.shape == (479, 641, 3)
        assert frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - picture(frame.index, (641, 479))).mean() < 5


def test_colours_agree_with_opencv(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 30, 30), (30, 30, 200)
    path = make_video(tmp_path / "a.mp4", [image] * 2)
    _, reference = cv2.VideoCapture(str(path)).read()
    assert np.array_equal(frames_of(path)[0].image, reference)


def test_a_trimmed_mp4_follows_its_edit_list(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 20, options=BUSY)
    data = bytearray(path.read_bytes())
    place = data.find(b"elst") + 12
    assert int.from_bytes(data[place : place + 4], "big") == 2000
    data[place : place + 4] = (1200).to_bytes(4, "big")
    path.write_bytes(data)
    source = opened(path)
    assert [read_index(frame.image) for frame in source.frames()] == list(range(12))
    assert source.fault == ""


@pytest.mark.parametrize("given", ["2026-05-01T09:00:00Z.mp4", "./2026-05-01T09:00:00Z.mp4"])
def test_a_name_with_colons_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    make_video(tmp_path / "a.mp4", 3).rename(tmp_path / "2026-05-01T09:00:00Z.mp4")
    monkeypatch.chdir(tmp_path)
    source = open_source("a", CameraConfig(source=given))
    assert [read_index(frame.image) for frame in source.frames()] == [0, 1, 2]


ONE, W30 = 1 << 16, 1 << 30


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
    ],
)
def test_a_display_matrix_turns_and_mirrors(
    tmp_path: Path, matrix: tuple[int, int, int, int], shown: Callable[[Image], Image]
) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:] = 255, 120  # no two of the eight ways look the same
    data = make_video(tmp_path / "a.mp4", [image] * 2).read_bytes()
    at = data.find(b"tkhd") + 4
    at += 4 + (16 if data[at] == 0 else 28) + 20  # version, times and ids, then layer and volume
    a, b, c, d = (value * ONE for value in matrix)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, W30) + data[at + 36 :])
    (frame, _) = frames_of(path)
    expected = shown(image)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 20


def decoded_frames() -> list[av.VideoFrame]:
    """All that are in memory."""
    return [one for one in gc.get_objects() if type(one) is av.VideoFrame]


def test_a_frame_that_is_no_longer_used_leaves_memory_at_once(tmp_path: Path) -> None:
    """Not only when the garbage collector comes by: by then it may be a hundred pictures."""
    source = opened(make_video(tmp_path / "a.mp4", 12))
    gc.collect()
    gc.disable()
    try:
        assert sum(1 for _ in source.frames()) == 12
        # Not isinstance, which asks objects of other libraries for what they warn of.
        held = [one for one in gc.get_objects() if issubclass(type(one), av.VideoFrame)]
        assert all((one.width, one.height) == (16, 16) for one in held)
    finally:
        gc.enable()


@pytest.mark.parametrize("suffix", ["h264", "hevc"])
def test_a_raw_stream_runs_at_the_rate_that_it_states(tmp_path: Path, suffix: str) -> None:
    codec = {"h264": "libx264", "hevc": "libx265"}[suffix]
    path = make_video(tmp_path / f"a.{suffix}", 11, fps=50, codec=codec)
    source = opened(path)
    assert source.fps == 50
    assert [frame.timestamp for frame in source.frames()][-1] == pytest.approx(0.2)
    assert opened(path, fps=5).fps == 5


@pytest.mark.parametrize("wrong", [{4: 37600.0}, {4: 37600.0, 8: 37600.0}, {4: -9800.0}])
def test_one_frame_with_a_wrong_time_moves_no_other(
    tmp_path: Path, wrong: dict[int, float]
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options=BUSY | {"tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = [av.VideoFrame.from_ndarray(picture(n), format="bgr24") for n in range(12)]
        encoded = [*itertools.chain.from_iterable(map(stream.encode, pictures)), *stream.encode()]
        for number, packet in enumerate(encoded):
            packet.time_base = Fraction(1, 1000)
            packet.dts = 100 * number - (10**8 if min(wrong.values()) < 0 else 0)
            packet.pts = 100 * number + round(1000 * wrong.get(number, 0.0))
            container.mux(packet)
    found = [frame.timestamp for frame in frames_of(path)]
    assert len(found) == 12
    assert np.subtract(found, found[0]) == pytest.approx(np.arange(12) / 10, abs=0.11)


@pytest.mark.parametrize("suffix", ["ts", "h264"])
def test_pictures_that_change_their_size(tmp_path: Path, suffix: str) -> None:
    sizes = [(64, 48), (96, 80), (64, 48)]
    parts = [make_video(tmp_path / f"{n}.{suffix}", 10, size=s) for n, s in enumerate(sizes)]
    path = tmp_path / f"all.{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = opened(path)
    frames = list(source.frames())
    shapes = [(height, width, 3) for width, height in sizes for _ in range(10)]
    assert [frame.image.shape for frame in frames] == shapes
    assert [read_index(frame.image) for frame in frames] == [*range(10)] * 3
    assert [frame.timestamp for frame in frames] == pytest.approx([n / 10 for n in range(30)])
    assert (source.width, source.height, source.fault) == (64, 48, "")
