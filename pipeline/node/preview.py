"""Live pictures of a node's cameras; encoded only while there are viewers.

The node passes in every frame without blocking. The latest one of each camera is kept, so that a
slow camera has a picture too. A separate thread polls Redis once a second for viewers and encodes
for these only, at a bounded size and rate.
"""

import logging
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
from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame
from pipeline.pictures.blur import blurred
from pipeline.pictures.colours import colour_of
from pipeline.sources.source import Frame
from trackers.detections import Detections

Image = NDArray[np.uint8]

_POLL_S = 1.0
_FULL_EVERY_S = 1.0
# A picture expires after three seconds, also where there is no newer one.
_AGAIN_S = 2.0
# A new viewer gets the frame from before it came only when no newer one comes for this long.
_FRESH_S = 1.0
# Larger than 4K, a picture would take tens of megabytes.
_FULL_PX = 3840
_JPEG_QUALITY = 80
# Bounds the shutdown while Redis is unavailable.
_END_S = 2.0
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class PreviewFrame:
    """A frame with its detections and tracks; ``track_id_offset`` is added to the track ids."""

    frame: Frame
    detections: Detections
    tracked: Detections
    track_id_offset: int = 0


class Previews:
    """Publishes the latest frames of viewed cameras.

    ``clock`` returns monotonic seconds. ``watch`` shows when the thread hangs.
    """

    def __init__(
        self,
        bus: Bus,
        config: ApiConfig,
        blur: Blur,
        clock: Callable[[], float] = time.monotonic,
        watch: Watch | None = None,
    ) -> None:
        self._bus = bus
        self._watch = watch or Watch()
        self._fault = ""
        self._config = config
        self._blur = blur
        self._clock = clock
        self._requested: set[tuple[str, PictureKind]] = set()
        self._requested_at: dict[tuple[str, PictureKind], float] = {}
        self._latest: dict[str, PreviewFrame] = {}
        # The cameras of which a frame came since they have a viewer.
        self._fresh: set[str] = set()
        # Time and frame index of the last picture sent.
        self._sent: dict[tuple[str, PictureKind], tuple[float, int]] = {}
        self._polled_at = -math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)

    def start(self) -> None:
        """Start polling for viewers, unless the configuration disables pictures."""
        if self._config.pictures:
            self._thread.start()

    def close(self) -> None:
        """Stop publishing."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def update(
        self, frame: AnyFrame, detections: Detections, tracked: Detections, track_id_offset: int = 0
    ) -> None:
        """Pass in the next frame of a camera; it is kept until the next one."""
        if isinstance(frame, Frame) and self._config.pictures:
            self._latest[frame.camera_id] = PreviewFrame(
                frame, detections, tracked, track_id_offset
            )
            if any(frame.camera_id == name for name, _ in self._requested):
                self._fresh.add(frame.camera_id)

    def remove(self, camera_id: str) -> None:
        """Forget a camera that has ended or was removed."""
        self._latest.pop(camera_id, None)

    def step(self) -> float:
        """Publish the requested pictures that are due; returns the seconds until the next step."""
        now = self._clock()
        if now - self._polled_at >= _POLL_S:
            self._polled_at = now
            self._requested = pictures.requested(self._bus, sorted(self._latest.copy()))
            requested = self._requested
            self._requested_at = {p: self._requested_at.get(p, now) for p in requested}
            self._fresh &= {name for name, _ in requested}
            self._sent = {pair: self._sent[pair] for pair in requested & self._sent.keys()}
        for camera_id, kind in sorted(self._requested):
            preview = self._latest.get(camera_id)
            if preview is not None and self._is_due(camera_id, kind, preview, now):
                jpeg = encode_preview(preview, kind, self._config.preview_px, self._blur)
                picture = Picture(preview.frame.timestamp, jpeg)
                pictures.publish(self._bus, camera_id, kind, picture)
                self._sent[camera_id, kind] = now, preview.frame.index
        small = any(kind.startswith("small") for _, kind in self._requested)
        return 0.5 / self._config.preview_fps if small else 0.25 * _POLL_S

    def _is_due(self, camera_id: str, kind: PictureKind, preview: PreviewFrame, now: float) -> bool:
        every_s = _FULL_EVERY_S if kind.startswith("full") else 1.0 / self._config.preview_fps
        when, index = self._sent.get((camera_id, kind), (-math.inf, -1))
        if camera_id not in self._fresh and now - self._requested_at[camera_id, kind] < _FRESH_S:
            return False
        return now - when >= (every_s if preview.frame.index != index else _AGAIN_S)

    def _run(self) -> None:
        wait_s = 0.0
        with self._watch.running("previews"):
            while not self._stop.wait(wait_s):
                self._watch.step("previews")
                wait_s = self._step_or_log()

    def _step_or_log(self) -> float:
        """Make a step; returns the seconds until the next one."""
        try:
            wait_s = self.step()
        except UserError:
            # Redis is unavailable or full: the node reports that, and pictures can wait.
            return _POLL_S
        # A bug in the pictures must not end them silently, nor the node.
        except Exception as error:  # noqa: BLE001
            if str(error) != self._fault:
                _log.exception("a picture for viewers failed")
            self._fault = str(error)
            return _POLL_S
        self._fault = ""
        return wait_s


def encode_preview(preview: PreviewFrame, kind: PictureKind, preview_px: int, blur: Blur) -> bytes:
    """The JPEG of a frame: full size or small, with or without the boxes of the tracks.

    Every picture passes through here before it leaves the node. People who were detected but not
    tracked are blurred too.
    """
    people = np.concatenate([preview.detections.boxes, preview.tracked.boxes])
    image = blurred(preview.frame.image, people, blur)
    image, scale = _shrunk(image, preview_px if kind.startswith("small") else _FULL_PX)
    if kind.endswith("boxes"):
        image = _with_boxes(image, preview, scale)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


def _shrunk(image: Image, longest_px: int) -> tuple[Image, float]:
    scale = min(longest_px / max(image.shape[:2]), 1.0)
    if scale == 1.0:
        return image, scale
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _with_boxes(image: Image, preview: PreviewFrame, scale: float) -> Image:
    image = image.copy()
    if preview.tracked.track_ids is None:
        return image
    thickness = max(2, round(max(image.shape[:2]) / 500))
    size = max(image.shape[:2]) / 1500 + 0.2
    for box, own_id in zip(preview.tracked.boxes * scale, preview.tracked.track_ids, strict=True):
        track_id = preview.track_id_offset + int(own_id)
        left, top, right, bottom = (round(float(side)) for side in box)
        cv2.rectangle(image, (left, top), (right, bottom), colour_of(track_id), thickness)
        origin = max(left, 0) + thickness, max(top, 0) + 2 * thickness + round(20 * size)
        cv2.putText(image, str(track_id), origin, _FONT, size, _WHITE, thickness, cv2.LINE_AA)
    return image
