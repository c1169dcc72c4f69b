"""Fakes for the tests of a node: sources made of times, a detector, an embedder.

The networks see nothing but colours; the real ones need weights and seconds, and are covered by
their own tests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import LiveConfig
from pipeline.sources import RecordedFrame
from pipeline.sources.camera_status import CameraStatus
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame, FramePicture
from reid_model.embedder import Descriptions
from trackers.detections import Detections

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]
#: Who is seen, always or at a time.
People = Mapping[Box, Colour] | Callable[[float], Mapping[Box, Colour]]

WIDTH, HEIGHT = 200, 160
#: Somebody who stands clear of the picture's border.
BOX: Box = (60, 20, 100, 140)
RED, GREEN, BLUE = (0, 0, 200), (0, 200, 0), (200, 0, 0)


class FakeLive:
    """What every live camera has; a test adds `frames`."""

    live = True
    width = height = 0
    fps = 0.0
    timestamp_origin = "arrival"
    fault = ""

    def __init__(self, camera_id: str) -> None:
        self.camera_id = camera_id
        self.status = CameraStatus(camera_id, LiveConfig(), lambda: 0.0)


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def scene(people: Mapping[Box, Colour]) -> Image:
    """A black BGR picture with a rectangle of a colour for everybody."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for (x1, y1, x2, y2), colour in people.items():
        image[y1:y2, x1:x2] = colour
    return image


def found(boxes: Sequence[Box], embeddings: NDArray[np.float32] | None = None) -> Detections:
    """Detections with a score of 0.9."""
    shape = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(shape, np.full(len(shape), 0.9, np.float32), embeddings=embeddings)


class Clip:
    """A source that shows ``people`` (or what ``people(time)`` gives) at these times."""

    live = False
    width, height = WIDTH, HEIGHT
    timestamp_origin = "epoch"

    def __init__(
        self,
        camera_id: str,
        times: Sequence[float],
        people: People = MappingProxyType({BOX: RED}),
        *,
        fps: float = 10.0,
        fault: str = "",
    ) -> None:
        self.camera_id = camera_id
        self.fps = fps
        self.fault = ""
        self._times = times
        self._people = people
        self._fault_at_the_end = fault

    def frames(self) -> Iterator[Frame]:
        for index, time in enumerate(self._times):
            people = self._people(time) if callable(self._people) else self._people
            yield Frame(self.camera_id, index, time, BgrPicture(scene(people)))
        self.fault = self._fault_at_the_end


class Recorded:
    """A source of recorded detections: one person in ``box``, with this embedding or none."""

    live = False
    width, height = WIDTH, HEIGHT
    fps = 10.0
    timestamp_origin = "recorded"
    fault = ""

    def __init__(
        self,
        camera_id: str,
        times: Sequence[float],
        embedding: Sequence[float] | None = None,
        box: Box = BOX,
    ) -> None:
        self.camera_id = camera_id
        self._times = times
        self._box = box
        self._embedding = None if embedding is None else np.array([embedding], np.float32)

    def frames(self) -> Iterator[RecordedFrame]:
        for index, time in enumerate(self._times):
            yield RecordedFrame(self.camera_id, index, time, found([self._box], self._embedding))


class ColourDetector:
    """Finds everything that is not black. ``calls`` has the number of pictures of every call."""

    def __init__(self, on_call: Callable[[int], None] = lambda number: None) -> None:
        self.calls: list[int] = []
        self._on_call = on_call

    def detect(self, pictures: Sequence[FramePicture | Image]) -> list[Detections]:
        self.calls.append(len(pictures))
        self._on_call(len(self.calls))
        images = [one if isinstance(one, np.ndarray) else one.image for one in pictures]
        return [found(_boxes(image)) for image in images]

    def start(self, pictures: Sequence[FramePicture | Image]) -> Callable[[], list[Detections]]:
        result = self.detect(pictures)
        return lambda: result


class ColourEmbedder:
    """The mean colour as a unit vector. ``calls`` has the number of crops of every call."""

    dimension = 3
    has_words = False

    def __init__(self) -> None:
        self.calls: list[int] = []

    def describe(self, crops: list[Image]) -> Descriptions:
        return Descriptions(self.embed(crops))

    def embed(self, crops: list[Image]) -> NDArray[np.float32]:
        self.calls.append(len(crops))
        means = np.array([crop.mean(axis=(0, 1)) for crop in crops], np.float32).reshape(-1, 3)
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


class WordyEmbedder(ColourEmbedder):
    """Also says of what colour a crop is in a text vector, and that all four parts are seen."""

    has_words = True

    def describe(self, crops: list[Image]) -> Descriptions:
        vectors = self.embed(crops)
        visibilities = np.ones((len(crops), 4), np.float32)
        return Descriptions(vectors, vectors[:, ::-1].copy(), visibilities)


def _boxes(image: Image) -> list[Box]:
    seen = np.asarray(image.max(axis=2) > 0, np.uint8)
    stats = cv2.connectedComponentsWithStats(seen)[2][1:]
    return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in stats]
