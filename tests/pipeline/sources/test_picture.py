"""Pictures of which only a part is converted, against the whole one in BGR."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from pipeline.sources.decoding import to_image
from pipeline.sources.picture import BgrPicture, PlanarPicture, picture_of
from pipeline.sources.source import FramePicture

HEIGHT, WIDTH = 96, 128


def smooth() -> np.ndarray:
    """A colourful BGR image without sharp edges, whose colours survive at half the size."""
    noise = np.random.default_rng(3).integers(90, 166, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def frame_of(kind: str, image: np.ndarray | None = None) -> VideoFrame:
    frame = VideoFrame.from_ndarray(smooth() if image is None else image, format="bgr24")
    return frame.reformat(format=kind)


@pytest.mark.parametrize("kind", ["yuv420p", "yuvj420p"])
def test_parts_are_those_of_the_whole(kind: str) -> None:
    frame = frame_of(kind)
    picture = picture_of(frame)
    assert isinstance(picture, PlanarPicture)
    assert picture.shape == (HEIGHT, WIDTH)
    whole = to_image(frame).astype(int)
    for left, top, right, bottom in [(0, 0, 40, 30), (3, 5, 50, 61), (127, 95, 128, 96)]:
        part = picture.cut(left, top, right, bottom)
        assert np.abs(part - whole[top:bottom, left:right]).max() <= 2
    for width, height in ((64, 36), (63, 35), (127, 95)):
        small = cv2.resize(to_image(frame), (width, height), interpolation=cv2.INTER_LINEAR)
        resized = picture.resized(height, width)
        assert resized.shape == (height, width, 3)
        assert np.abs(resized - small.astype(int)).mean() < 4
    np.testing.assert_array_equal(picture.image, whole)
    np.testing.assert_array_equal(picture.cut(3, 5, 50, 61), whole[5:61, 3:50])
    np.testing.assert_array_equal(picture.resized(HEIGHT, WIDTH), whole)


def test_the_brightness_is_that_of_the_grey_picture() -> None:
    """Full range, in which the plane of brightness is the grey picture itself."""
    planar = picture_of(frame_of("yuvj420p"))
    plain = BgrPicture(planar.image)
    one, other = (p.brightness(10, 20, 90, 80).astype(int) for p in (planar, plain))
    assert one.shape == other.shape == (60, 80)
    assert np.abs(one - other).max() <= 4
    assert [p.grey(8).shape for p in (planar, plain)] == [(12, 16), (12, 16)]


@pytest.mark.parametrize("kind", ["rgb24", "yuv422p", "yuv420p10le", "gray"])
def test_other_formats_are_converted_whole(kind: str) -> None:
    picture = picture_of(frame_of(kind))
    assert isinstance(picture, BgrPicture)
    np.testing.assert_array_equal(picture.image, to_image(frame_of(kind)))


def test_odd_sides_are_converted_whole() -> None:
    picture = picture_of(frame_of("yuv420p", smooth()[:95, :127].copy()))
    assert isinstance(picture, BgrPicture)
    assert picture.shape == (95, 127)


def test_a_picture_in_bgr() -> None:
    image = smooth()
    picture: FramePicture = BgrPicture(image)
    assert picture.resized(HEIGHT, WIDTH) is image
    assert picture.resized(10, 20).shape == (10, 20, 3)
    np.testing.assert_array_equal(picture.cut(1, 2, 5, 4), image[2:4, 1:5])


def test_a_frame_of_a_file_has_its_planes(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for packet in [*stream.encode(frame_of("yuv420p")), *stream.encode(None)]:
            container.mux(packet)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        picture = picture_of(frame)
        assert isinstance(picture, PlanarPicture)
        whole = to_image(frame).astype(int)
        assert np.abs(picture.cut(20, 30, 61, 71) - whole[30:71, 20:61]).max() <= 2
