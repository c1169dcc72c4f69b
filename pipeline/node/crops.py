"""Crops of people, their quality, and the thumbnail of each track."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import Blur
from pipeline.errors import writing
from pipeline.pictures.blur import blurred, boxes_in_crop
from pipeline.run_directory.layout import contained
from pipeline.sources.source import FramePicture
from trackers.detections import Detections
from trackers.single_camera.crops import Qualities


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A person cropped from a frame, ``(H, W, 3)`` uint8 BGR, a precomputed embedding ``(D,)``
    float32, or both.

    ``people`` is ``(N, 4)`` float32 xyxy in pixels of the crop: the boxes of all people in the
    frame, including this one.
    """

    image: NDArray[np.uint8] | None
    embedding: NDArray[np.float32] | None
    people: NDArray[np.float32]


def cut(picture: FramePicture, box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What is inside ``box`` ``(4,)`` xyxy: ``(h, w, 3)`` uint8 BGR, at least 1x1, maybe a view."""
    height, width = picture.shape
    left = int(np.clip(box[0], 0, width - 1))
    top = int(np.clip(box[1], 0, height - 1))
    right = int(np.clip(np.ceil(box[2]), left + 1, width))
    bottom = int(np.clip(np.ceil(box[3]), top + 1, height))
    return picture.cut(left, top, right, bottom)


def crop_of(detections: Detections, row: int, picture: FramePicture | None) -> Crop:
    """The crop of one detection; its pixels are copied."""
    embedding = None if detections.embeddings is None else detections.embeddings[row]
    pixels = None if picture is None else cut(picture, detections.boxes[row]).copy()
    return Crop(pixels, embedding, boxes_in_crop(detections.boxes, detections.boxes[row]))


def qualities(
    detections: Detections, picture: FramePicture | None, size: tuple[int, int]
) -> Qualities:
    """The crop quality of each detection.

    Without a picture it is computed from the boxes alone, in a frame of ``size``: height and width
    in pixels.
    """
    if picture is None:
        return Qualities(detections.boxes, size, detections.scores, None)
    return Qualities(detections.boxes, picture.shape, detections.scores, picture.brightness)


#: The folder of all thumbnails in the run directory.
THUMBNAILS = "thumbnails"

_HEIGHT = 192
_JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The path of a thumbnail, relative to the run directory, and its JPEG unless it is written."""

    path: str
    jpeg: bytes | None = None


class Thumbnails:
    """Keeps the best crop of every open track of one camera; writes it as JPEG on close.

    A node that does not have the run directory has no ``folder`` and sends the pictures. ``blur``
    selects what is blurred of all people in the crop. ``after`` is added to the track ids in the
    file names, so that thumbnails of earlier nodes are not overwritten.
    """

    def __init__(
        self, folder: Path | None, camera_id: str, blur: Blur = "none", after: int = 0
    ) -> None:
        self._folder = folder
        self._camera_id = camera_id
        self._blur = blur
        self._after = after
        self._best: dict[int, tuple[float, NDArray[np.uint8]]] = {}

    def add(
        self,
        track_id: int,
        quality: float,
        image: NDArray[np.uint8],
        people: NDArray[np.float32],
    ) -> None:
        """Keep ``image`` ``(H, W, 3)`` uint8 BGR if it is the best of its track so far.

        ``people`` is ``(N, 4)`` float32 xyxy in pixels of ``image``: all people visible in it.
        """
        best = self._best.get(track_id)
        if best is None or quality > best[0]:
            self._best[track_id] = quality, _shrink(blurred(image, people, self._blur))

    def write(self, track_id: int) -> str | None:
        """As `take`; returns the path only."""
        taken = self.take(track_id)
        return None if taken is None else taken.path

    def take(self, track_id: int) -> Thumbnail | None:
        """The thumbnail of a closed track, written where there is a folder; None without a crop.

        Raises UserError when the file cannot be written.
        """
        best = self._best.pop(track_id, None)
        if best is None:
            return None
        name = f"{self._after + track_id}.jpg"
        _, data = cv2.imencode(".jpg", best[1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if self._folder is None:
            return Thumbnail(f"{THUMBNAILS}/{self._camera_id}/{name}", data.tobytes())
        relative = f"{self._folder.name}/{self._camera_id}/{name}"
        path = contained(self._folder.parent, relative)
        with writing(f"the thumbnail {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            # A link in its place is not followed.
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(data.tobytes())
        return Thumbnail(relative)


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if height <= _HEIGHT:
        return image
    size = max(round(width * _HEIGHT / height), 1), _HEIGHT
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
