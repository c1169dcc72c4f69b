"""The picture of a frame, of which only what is needed is converted to BGR.

Most video is decoded to a plane of brightness and two of colour at half the size (YUV 4:2:0). Of
such a picture the network's input, a crop or a small grey copy is made without the whole in BGR.
"""

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame

from pipeline.sources.decoding import as_coded, in_bgr, is_upright, to_image
from pipeline.sources.source import FramePicture, Image

#: The formats with the three planes.
_PLANAR = ("yuv420p", "yuvj420p")


class BgrPicture:
    """A picture that is in BGR already."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.shape = image.shape[0], image.shape[1]

    def resized(self, height: int, width: int) -> Image:
        """As of `FramePicture`."""
        if self.shape == (height, width):
            return self.image
        resized = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8)

    def cut(self, left: int, top: int, right: int, bottom: int) -> Image:
        """As of `FramePicture`."""
        return self.image[top:bottom, left:right]

    def brightness(self, left: int, top: int, right: int, bottom: int) -> Image:
        """As of `FramePicture`."""
        part = self.image[top:bottom, left:right]
        return np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8)

    def grey(self, step: int) -> Image:
        """As of `FramePicture`."""
        part = np.ascontiguousarray(self.image[step // 2 :: step, step // 2 :: step])
        return np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8)


class PlanarPicture:
    """A decoded frame of three planes with even sides, upright as coded.

    Safe to read from several threads.
    """

    def __init__(self, frame: VideoFrame) -> None:
        self.shape = frame.height, frame.width
        self._frame = frame
        self._image: Image | None = None

    @property
    def image(self) -> Image:
        """As of `FramePicture`; converted at the first use and kept."""
        image = self._image
        if image is None:
            image = self._image = as_coded(self._frame)
        return image

    def resized(self, height: int, width: int) -> Image:
        """As of `FramePicture`, made of the resized planes."""
        if self.shape == (height, width):
            return self.image
        small = self._blank(height, width)
        (bright, made), *colours = zip(_planes(self._frame), _planes(small), strict=True)
        _resize(bright, made[:height, :width])
        made[height:] = made[height - 1]
        made[:, width:] = made[:, width - 1 : width]
        for colour, made in colours:
            _resize(colour, made)
        return _in_bgr(small)[:height, :width]

    def cut(self, left: int, top: int, right: int, bottom: int) -> Image:
        """As of `FramePicture`; only this part is converted."""
        if self._image is not None:
            return self._image[top:bottom, left:right]
        x1, y1, x2, y2 = left & ~1, top & ~1, (right + 1) & ~1, (bottom + 1) & ~1
        part = self._blank(y2 - y1, x2 - x1)
        bright, *colours = zip(_planes(self._frame), _planes(part), strict=True)
        bright[1][:] = bright[0][y1:y2, x1:x2]
        for colour, made in colours:
            made[:] = colour[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2]
        image = _in_bgr(part)
        return image[top - y1 : bottom - y1, left - x1 : right - x1]

    def brightness(self, left: int, top: int, right: int, bottom: int) -> Image:
        """As of `FramePicture`; a view."""
        return _plane(self._frame.planes[0])[top:bottom, left:right]

    def grey(self, step: int) -> Image:
        """As of `FramePicture`."""
        bright = _plane(self._frame.planes[0])
        return np.ascontiguousarray(bright[step // 2 :: step, step // 2 :: step])

    def _blank(self, height: int, width: int) -> VideoFrame:
        """A frame of the same format, to be filled; colours are at half the size, so both of its
        sides are even.
        """
        frame = VideoFrame(width + width % 2, height + height % 2, self._frame.format.name)
        frame.colorspace, frame.color_range = self._frame.colorspace, self._frame.color_range
        return frame


def picture_of(frame: VideoFrame) -> FramePicture:
    """The picture of a decoded frame."""
    even = frame.width % 2 == 0 and frame.height % 2 == 0
    if even and frame.format.name in _PLANAR and is_upright(frame):
        return PlanarPicture(frame)
    return BgrPicture(to_image(frame))


def _planes(frame: VideoFrame) -> list[Image]:
    """The planes as they are in memory."""
    return [_plane(plane) for plane in frame.planes]


def _plane(plane: Any) -> Image:
    return _rows(plane)[:, : plane.width]


def _rows(plane: Any) -> Image:
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)


def _resize(plane: Image, made: Image) -> None:
    """Fill ``made`` with ``plane`` at its size."""
    cv2.resize(plane, made.shape[::-1], dst=made, interpolation=cv2.INTER_LINEAR)


def _in_bgr(frame: VideoFrame) -> Image:
    """A frame as coded, in BGR, maybe with a gap after each row."""
    made = in_bgr(frame)
    return _rows(made.planes[0])[:, : 3 * made.width].reshape(made.height, made.width, 3)
