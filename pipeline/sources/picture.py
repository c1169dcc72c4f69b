"""The picture of a frame, of which only what is needed is converted to BGR.

Most video is decoded to a plane of brightness and two of colour at half the size (YUV 4:2:0). Of
such a picture the network's input, a crop or a small grey copy is made without the whole in BGR.
"""

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.sources.decoding import as_coded, is_upright, to_image
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
        bright, *colours = (_plane(plane) for plane in self._frame.planes)
        # Colours are at half the size, so both sides must be even for a moment.
        odd = height % 2, width % 2
        even = height + odd[0], width + odd[1]
        small = cv2.resize(bright, (width, height), interpolation=cv2.INTER_LINEAR)
        if any(odd):
            small = np.pad(small, ((0, odd[0]), (0, odd[1])), "edge")
        half = even[1] // 2, even[0] // 2
        halves = [cv2.resize(c, half, interpolation=cv2.INTER_LINEAR) for c in colours]
        planes = np.concatenate([plane.reshape(-1) for plane in (small, *halves)])
        return self._bgr(planes.reshape(-1, even[1]))[:height, :width]

    def cut(self, left: int, top: int, right: int, bottom: int) -> Image:
        """As of `FramePicture`; only this part is converted."""
        if self._image is not None:
            return self._image[top:bottom, left:right]
        x1, y1, x2, y2 = left & ~1, top & ~1, (right + 1) & ~1, (bottom + 1) & ~1
        bright, *colours = (_plane(plane) for plane in self._frame.planes)
        halves = [colour[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2].reshape(-1) for colour in colours]
        part = np.concatenate([bright[y1:y2, x1:x2].reshape(-1), *halves])
        image = self._bgr(part.reshape(-1, x2 - x1))
        return image[top - y1 : bottom - y1, left - x1 : right - x1]

    def brightness(self, left: int, top: int, right: int, bottom: int) -> Image:
        """As of `FramePicture`; a view."""
        return _plane(self._frame.planes[0])[top:bottom, left:right]

    def grey(self, step: int) -> Image:
        """As of `FramePicture`."""
        bright = _plane(self._frame.planes[0])
        return np.ascontiguousarray(bright[step // 2 :: step, step // 2 :: step])

    def _bgr(self, planes: NDArray[np.uint8]) -> Image:
        """Three planes below each other, ``(1.5 h, w)`` uint8, as BGR."""
        frame = VideoFrame.from_ndarray(planes, format=self._frame.format.name)
        frame.colorspace, frame.color_range = self._frame.colorspace, self._frame.color_range
        return as_coded(frame)


def picture_of(frame: VideoFrame) -> FramePicture:
    """The picture of a decoded frame."""
    even = frame.width % 2 == 0 and frame.height % 2 == 0
    if even and frame.format.name in _PLANAR and is_upright(frame):
        return PlanarPicture(frame)
    return BgrPicture(to_image(frame))


def _plane(plane: Any) -> Image:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
