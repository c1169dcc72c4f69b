"""The video writer: every image, with its timestamp and colours."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.pictures.video import frame_at, write_video

Image = NDArray[np.uint8]
ORANGE = (20, 120, 220)


def plain(height: int, width: int, colour: tuple[int, int, int] = ORANGE) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def read(path: Path) -> list[tuple[float, Image]]:
    with av.open(path) as container:
        return [
            (frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)
        ]


def test_timestamps_and_colours_are_kept(tmp_path: Path) -> None:
    moments = [1777626000.0 + offset for offset in (0, 0.04, 0.2, 0.25, 3.0, 3.01)]
    path = tmp_path / "a.mp4"
    assert write_video(path, iter([(moment, plain(48, 64)) for moment in moments])) == 6
    frames = read(path)
    assert [moment for moment, _ in frames] == pytest.approx(
        [0, 0.04, 0.2, 0.25, 3, 3.01], abs=1e-4
    )
    for _, image in frames:
        assert image.shape == (48, 64, 3)
        assert np.abs(image.astype(int) - ORANGE).max() <= 6
    assert [item.name for item in tmp_path.iterdir()] == ["a.mp4"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_format_is_widely_playable_h264(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", iter([(0.0, plain(48, 64))]))
    with av.open(tmp_path / "a.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_an_odd_size_is_padded(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", iter([(0.0, plain(33, 45))]))
    ((_, image),) = read(tmp_path / "a.mp4")
    assert image.shape == (34, 46, 3)
    assert np.abs(image[-1, -1].astype(int) - ORANGE).max() <= 6


def test_a_picture_of_another_size_is_scaled(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", iter([(0.0, plain(32, 64)), (0.1, plain(90, 30))]))
    assert [image.shape for _, image in read(tmp_path / "a.mp4")] == [(32, 64, 3)] * 2


def test_images_with_equal_timestamps_are_kept(tmp_path: Path) -> None:
    assert write_video(tmp_path / "a.mp4", iter([(5.0, plain(32, 32))] * 3)) == 3
    moments = [moment for moment, _ in read(tmp_path / "a.mp4")]
    tick = float(Fraction(1, 90_000))
    assert moments == pytest.approx([0, tick, 2 * tick])


def test_no_picture_no_file(tmp_path: Path) -> None:
    assert write_video(tmp_path / "a.mp4", iter([])) == 0
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    def frames():  # type: ignore[no-untyped-def]
        yield 0.0, plain(32, 32)
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        write_video(tmp_path / "a.mp4", frames())
    assert list(tmp_path.iterdir()) == []


def test_the_image_of_a_moment_is_read(tmp_path: Path) -> None:
    shades = ((number / 2, plain(48, 64, (5 * number,) * 3)) for number in range(40))
    write_video(tmp_path / "a.mp4", shades)

    def shade_at(seconds: float) -> tuple[float, int]:
        moment, image = frame_at(tmp_path / "a.mp4", seconds)
        return moment, round(float(image.mean()) / 5)

    assert shade_at(7.0) == (7.0, 14)
    assert shade_at(7.49) == (7.0, 14)
    assert shade_at(-1.0) == (0.0, 0)
    assert shade_at(float("inf")) == (19.5, 39)


def test_a_damaged_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"a\.mp4 is damaged"):
        frame_at(tmp_path / "a.mp4", 0.0)
