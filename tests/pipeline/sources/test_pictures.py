"""A folder of pictures, one of which may be broken."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources import Source, open_source
from videos import picture, read_index


def opened(source: Path | str, **values: object) -> Source:
    return open_source("a", CameraConfig(source=str(source), **values))


def write(path: Path, image: np.ndarray) -> Path:
    done, data = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(data.tobytes())
    return path


def folder_of(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        write(folder / name, picture(index))
    return folder


def test_natural_order_and_default_rate(tmp_path: Path) -> None:
    names = ["frame1.png", "frame2.jpg", "frame10.PNG", "frame11.bmp"]
    folder = folder_of(tmp_path / "cam", names)
    (folder / "notes.txt").write_text("no picture")
    (folder / "._frame1.png").write_text("no picture")
    source = opened(folder)
    frames = list(source.frames())
    assert [read_index(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    assert (source.width, source.height, source.fps, source.live) == (64, 48, 25, False)
    assert (source.timestamp_origin, source.fault) == ("epoch", "")


def test_configured_start_and_rate(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cam", ["1.png", "2.png"])
    source = opened(folder, start="1970-01-01T00:01:40Z", fps=2)
    assert [frame.timestamp for frame in source.frames()] == [100.0, 100.5]
    assert (source.timestamp_origin, source.fps) == ("config", 2)


def test_a_pattern_takes_only_its_pictures(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cam", ["left1.png", "left2.png", "right1.png"])
    assert len(list(opened(folder / "left*.png").frames())) == 2


def test_one_picture_is_one_frame(tmp_path: Path) -> None:
    frames = list(opened(write(tmp_path / "a.png", picture(7))).frames())
    assert [read_index(frame.image) for frame in frames] == [7]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp", ".ppm"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_broken_picture_skips_its_index(tmp_path: Path, suffix: str, keep: float) -> None:
    folder = folder_of(tmp_path / "cam", ["1.png", f"2{suffix}", "3.png"])
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = write(folder / f"2{suffix}", noise).read_bytes()
    (folder / f"2{suffix}").write_bytes(data[: int(len(data) * keep)])
    source = opened(folder)
    frames = list(source.frames())
    assert [(frame.index, read_index(frame.image)) for frame in frames] == [(0, 0), (2, 2)]
    assert frames[1].timestamp == pytest.approx(0.08)
    assert source.fault == f"1 of 3 pictures could not be read: 2{suffix}"


def test_the_first_picture_may_be_the_broken_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cam", ["1.png", "2.png"])
    (folder / "1.png").write_text("no picture")
    source = opened(folder)
    assert [frame.index for frame in source.frames()] == [1]
    assert (source.width, source.height) == (64, 48)


def test_many_broken_pictures_are_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cam", [f"{i}.png" for i in range(6)])
    for i in range(5):
        (folder / f"{i}.png").write_text("no picture")
    source = opened(folder)
    assert len(list(source.frames())) == 1
    assert source.fault == "5 of 6 pictures could not be read: 0.png, 1.png, 2.png and 2 more"


def test_sizes_may_differ(tmp_path: Path) -> None:
    write(tmp_path / "1.png", picture(1, (64, 48)))
    write(tmp_path / "2.png", picture(2, (33, 17)))
    source = opened(tmp_path)
    assert [frame.image.shape for frame in source.frames()] == [(48, 64, 3), (17, 33, 3)]
    assert (source.width, source.height) == (64, 48)


def test_grey_alpha_and_16_bit_become_bgr(tmp_path: Path) -> None:
    grey = picture(5)[:, :, 0]
    write(tmp_path / "1.png", grey)
    write(tmp_path / "2.png", np.dstack([picture(5), np.full((48, 64), 100, np.uint8)]))
    write(tmp_path / "3.png", picture(5).astype(np.uint16) * 256)
    write(tmp_path / "4.tif", grey.astype(np.uint16) * 256)
    for frame in opened(tmp_path).frames():
        assert np.array_equal(frame.image, picture(5))
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous


def test_colours_are_blue_green_red(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:] = (250, 120, 10)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    frame.save(tmp_path / "1.png")
    assert np.array_equal(next(iter(opened(tmp_path).frames())).image, image)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match=r"contains no pictures.*\.jpg"):
        opened(tmp_path)


def test_a_folder_of_broken_pictures(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("no picture")
    with pytest.raises(UserError, match="none of its 1 pictures can be decoded"):
        opened(tmp_path)


GREY = (10, 100, 200, 40, 160)


def several(path: Path, seconds: list[float]) -> Path:
    """Write the grey pictures as an animation, or as pages where the format has no times."""
    images = [np.full((48, 64, 3), grey, np.uint8) for grey in GREY]
    if path.suffix == ".tiff":
        assert cv2.imwritemulti(str(path), images)
        return path
    animation = cv2.Animation()
    animation.frames = images
    animation.durations = np.array([1000 * second for second in seconds], np.int32)
    assert cv2.imwriteanimation(str(path), animation)
    return path


@pytest.mark.parametrize("suffix", [".tiff", ".gif", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("fps", [None, 10])
def test_every_picture_of_a_file_is_read(tmp_path: Path, suffix: str, fps: int | None) -> None:
    shown_s = [0.1, 0.3, 0.2, 0.1, 0.1]
    path = several(tmp_path / f"a{suffix}", shown_s)
    source = opened(path) if fps is None else opened(path, fps=fps)
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(5))
    assert [frame.image.mean() for frame in frames] == pytest.approx(list(GREY), abs=3)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    if fps:
        expected = [0, 0.1, 0.2, 0.3, 0.4]
    elif suffix == ".tiff":
        expected = [n / 25 for n in range(5)]
    else:
        expected = [0, 0.1, 0.4, 0.6, 0.7]
    assert [frame.timestamp for frame in frames] == pytest.approx(expected)
    assert source.fault == ""


def test_more_pages_than_are_read_at_a_time(tmp_path: Path) -> None:
    images = [picture(index) for index in range(35)]
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), images)
    frames = list(opened(tmp_path / "a.tif").frames())
    assert [read_index(frame.image) for frame in frames] == list(range(35))


def test_other_suffixes_are_read_or_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cam", ["1.jpg", "2.jpe", "4.jp2", "5.avif", "7.webp", "9.gif"])
    (folder / "3.jfif").write_bytes((folder / "1.jpg").read_bytes())
    (folder / "6.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "8.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    source = opened(folder)
    frames = list(source.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 6, 8]
    assert frames[-1].timestamp == pytest.approx(8 / 25)
    assert source.fault == "2 of 9 pictures could not be read: 6.HEIC, 8.jxl"


def test_videos_among_pictures_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path / "cam", ["1.jpg"])
    (folder / "2.MP4").touch()
    assert len(list(opened(folder).frames())) == 1
    assert "beside its pictures are left out: 2.MP4" in caplog.text


#: What a viewer does with a picture of each EXIF orientation.
_TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}


def test_pictures_of_every_orientation_and_of_several_sizes(tmp_path: Path) -> None:
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    expected = []
    for orientation, turned in _TURNED.items():
        image = corners.repeat(32, 0).repeat(32 + 16 * (orientation % 3), 1)
        picture_of = Image.fromarray(image[:, :, ::-1])
        exif = picture_of.getexif()
        exif[0x0112] = orientation
        picture_of.save(tmp_path / f"{orientation}.jpg", quality=95, exif=exif)
        expected.append(turned(image))
    for frame, image in zip(opened(tmp_path).frames(), expected, strict=True):
        found = frame.image
        assert found.shape == image.shape
        assert np.abs(found.astype(int) - image).mean() < 12
