"""Pictures of a node's cameras for who looks at them now; nothing is encoded for nobody.

The node offers every frame and goes on at once. A thread of our own asks Redis once a second who
looks, keeps the latest frame of these cameras only, and encodes it at a bounded size and rate.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.bus import pictures
from pipeline.bus.pictures import Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.config.schema import ApiConfig, Blur
from pipeline.errors import UserError
from pipeline.frame import Frame
from pipeline.node.batching import AnyFrame
from pipeline.pictures.blur import blurred
from pipeline.pictures.colours import colour_of
from trackers.detections import Detections

Image = NDArray[np.uint8]

_LOOK_S = 1.0
_FULL_EVERY_S = 1.0
# Beyond 4K a picture would be tens of megabytes.
_FULL_PX = 3840
_JPEG_QUALITY = 80
# Redis may be away for longer than anybody wants to wait for us.
_END_S = 2.0
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """A frame, who was detected in it, and the tracks, whose ids begin after ``tracks_before``."""

    frame: Frame
    detections: Detections
    tracked: Detections
    tracks_before: int = 0


class Previews:
    """Shows the latest frames of the cameras that are offered, while somebody looks.

    ``clock`` gives seconds that only move forward.
    """

    def __init__(
        self,
        bus: Bus,
        config: ApiConfig,
        blur: Blur,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._camera_ids: set[str] = set()
        self._config = config
        self._blur = blur
        self._clock = clock
        self._wanted: set[tuple[str, PictureKind]] = set()
        self._latest: dict[str, SeenFrame] = {}
        # When each picture was sent last, and of which frame.
        self._sent: dict[tuple[str, PictureKind], tuple[float, int]] = {}
        self._looked = -math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)

    def start(self) -> None:
        """Begin to look who looks, unless the configuration keeps pictures here."""
        if self._config.pictures:
            self._thread.start()

    def close(self) -> None:
        """Show no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def offer(
        self, frame: AnyFrame, detections: Detections, tracked: Detections, tracks_before: int = 0
    ) -> None:
        """The next frame of a camera and who is in it; kept only while somebody looks."""
        if not isinstance(frame, Frame):
            return
        self._camera_ids.add(frame.camera_id)
        if any(frame.camera_id == name for name, _ in self._wanted):
            self._latest[frame.camera_id] = SeenFrame(frame, detections, tracked, tracks_before)

    def step(self) -> float:
        """Show what is wanted and due; returns after how many seconds to do so again."""
        now = self._clock()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self._wanted = pictures.wanted(self._bus, sorted(self._camera_ids))
            for camera_id in self._latest.keys() - {name for name, _ in self._wanted}:
                del self._latest[camera_id]
        for camera_id, kind in sorted(self._wanted):
            seen = self._latest.get(camera_id)
            if seen is not None and self._is_due(camera_id, kind, seen, now):
                jpeg = encoded(seen, kind, self._config.preview_px, self._blur)
                picture = Picture(seen.frame.timestamp, jpeg)
                pictures.show(self._bus, camera_id, kind, picture)
                self._sent[camera_id, kind] = now, seen.frame.index
        small = any(kind.startswith("small") for _, kind in self._wanted)
        return 0.5 / self._config.preview_fps if small else 0.25 * _LOOK_S

    def _is_due(self, camera_id: str, kind: PictureKind, seen: SeenFrame, now: float) -> bool:
        every_s = _FULL_EVERY_S if kind.startswith("full") else 1.0 / self._config.preview_fps
        when, index = self._sent.get((camera_id, kind), (-math.inf, -1))
        return seen.frame.index != index and now - when >= every_s

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            try:
                wait_s = self.step()
            except UserError:
                # Redis is away or full: the node says so, and pictures are the least of it.
                wait_s = _LOOK_S


def encoded(seen: SeenFrame, kind: PictureKind, preview_px: int, blur: Blur) -> bytes:
    """The JPEG of a frame: whole or small, with or without the boxes of the tracks.

    Every picture passes here before it leaves the node. Who was only detected is blurred too.
    """
    everybody = np.concatenate([seen.detections.boxes, seen.tracked.boxes])
    image = blurred(seen.frame.image, everybody, blur)
    image, scale = _shrunk(image, preview_px if kind.startswith("small") else _FULL_PX)
    if kind.endswith("boxes"):
        image = _with_boxes(image, seen, scale)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


def _shrunk(image: Image, longest_px: int) -> tuple[Image, float]:
    scale = min(longest_px / max(image.shape[:2]), 1.0)
    if scale == 1.0:
        return image, scale
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _with_boxes(image: Image, seen: SeenFrame, scale: float) -> Image:
    image = image.copy()
    if seen.tracked.track_ids is None:
        return image
    thickness = max(2, round(max(image.shape[:2]) / 500))
    size = max(image.shape[:2]) / 1500 + 0.2
    for box, own_id in zip(seen.tracked.boxes * scale, seen.tracked.track_ids, strict=True):
        track_id = seen.tracks_before + int(own_id)
        left, top, right, bottom = (round(float(side)) for side in box)
        cv2.rectangle(image, (left, top), (right, bottom), colour_of(track_id), thickness)
        place = max(left, 0) + thickness, max(top, 0) + 2 * thickness + round(20 * size)
        cv2.putText(image, str(track_id), place, _FONT, size, _WHITE, thickness, cv2.LINE_AA)
    return image
