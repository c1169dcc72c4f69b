"""A node: frames of N cameras in, observations and tracklets out.

One detector call and one embedder call serve the frames and crops of all cameras.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import CameraMessage
from pipeline.bus.streams import Bus
from pipeline.camera import Camera, thumbnails_of
from pipeline.config import SiteConfig
from pipeline.crops import cut
from pipeline.frame import Frame
from pipeline.run_directory.schema import Camera as CameraRecord
from pipeline.schedule import AnyFrame, Schedule
from pipeline.sources import Source
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.redact import redact
from trackers.detections import Detections

# Frames decoded ahead, for each camera.
_DECODED_AHEAD = 8


class Detects(Protocol):
    """A person detector."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""


class Embeds(Protocol):
    """A ReID embedder."""

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""


class Node:
    """Runs its cameras to their end.

    ``detector`` may be None when every source brings recorded detections; ``embedder`` may be None
    when these bring their embeddings, or none are wanted. ``on_frames(camera_id, count)`` is told
    about progress.
    """

    def __init__(
        self,
        config: SiteConfig,
        sources: Sequence[Source],
        bus: Bus,
        *,
        detector: Detects | None,
        embedder: Embeds | None,
        thumbnails: Path | None = None,
        on_frames: Callable[[str, int], None] = lambda camera_id, count: None,
    ) -> None:
        self._config = config
        self._sources = {source.camera_id: source for source in sources}
        self._bus = bus
        self._detector = detector
        self._embedder = embedder
        self._on_frames = on_frames
        self._cameras = {
            camera_id: Camera(source, config, thumbnails_of(thumbnails, camera_id))
            for camera_id, source in self._sources.items()
        }
        self._started: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until every source has ended or ``stop`` is set; then send what is still open."""
        readers = [DecodeAhead(source, _DECODED_AHEAD) for source in self._sources.values()]
        try:
            schedule = Schedule(readers, self._config.detector.batch)
            running = set(self._cameras)
            while batch := schedule.next_batch(stop):
                self._process(batch, running, stop)
                for camera_id in sorted(filter(schedule.ended, running)):
                    running.discard(camera_id)
                    self._end(camera_id, stop, whole=True)
            for camera_id in sorted(running):
                self._end(camera_id, stop, whole=schedule.ended(camera_id))
        finally:
            for reader in readers:
                reader.close()

    def _process(self, batch: list[AnyFrame], running: set[str], stop: threading.Event) -> None:
        for frame, detections in zip(batch, self._detect(batch), strict=True):
            self._started.setdefault(frame.camera_id, frame.timestamp)
            self._cameras[frame.camera_id].see(frame, detections)
        seen = {frame.camera_id for frame in batch}
        touched = sorted(seen | self._pass_time(batch, running - seen))
        self._embed([self._cameras[camera_id] for camera_id in touched])
        for camera_id in touched:
            self._send(camera_id, stop)
        for camera_id in sorted(seen):
            self._on_frames(camera_id, self._cameras[camera_id].frames)

    def _pass_time(self, batch: list[AnyFrame], others: set[str]) -> set[str]:
        """Tell the recorded cameras without a frame in ``batch`` how late it is; returns them.

        Recordings are read in order of time over all cameras, so none of theirs is earlier. A
        camera that starts hours later than another must not hold it up.
        """
        times = [f.timestamp for f in batch if not self._sources[f.camera_id].live]
        waiting = {camera_id for camera_id in others if not self._sources[camera_id].live}
        if not times:
            return set()
        for camera_id in waiting:
            self._cameras[camera_id].pass_time(max(times))
        return waiting

    def _detect(self, batch: list[AnyFrame]) -> list[Detections]:
        pictures = [frame.image for frame in batch if isinstance(frame, Frame)]
        found = iter(self._detector.detect(pictures) if self._detector and pictures else [])
        detections = [
            next(found) if isinstance(frame, Frame) else frame.detections for frame in batch
        ]
        if not self._config.tracker.embeddings or self._embedder is None:
            return detections
        return self._embed_all(batch, detections, self._embedder)

    def _embed_all(
        self, batch: list[AnyFrame], detections: list[Detections], embedder: Embeds
    ) -> list[Detections]:
        """Every detection gets its embedding, for trackers that look at people."""
        crops = [
            cut(frame.image, box)
            for frame, found in zip(batch, detections, strict=True)
            if isinstance(frame, Frame)
            for box in found.boxes
        ]
        embeddings = embedder.embed(crops)
        widened, start = [], 0
        for frame, found in zip(batch, detections, strict=True):
            if isinstance(frame, Frame):
                widened.append(found.with_embeddings(embeddings[start : start + len(found)]))
                start += len(found)
            else:
                widened.append(found)
        return widened

    def _embed(self, cameras: list[Camera]) -> None:
        """Embed the crops that are due, of all cameras in one call."""
        due = [(camera, chosen) for camera in cameras for chosen in camera.take_due()]
        missing = [
            chosen.crop.image
            for _, chosen in due
            if chosen.crop.embedding is None and chosen.crop.image is not None
        ]
        fresh: Iterator[NDArray[np.float32]] = iter(
            self._embedder.embed(missing) if self._embedder and missing else []
        )
        for camera, chosen in due:
            embedding = chosen.crop.embedding
            if embedding is None:
                embedding = next(fresh, None)
            if embedding is not None:
                camera.keep(chosen, embedding)
        for camera in cameras:
            camera.close_tracks()

    def _end(self, camera_id: str, stop: threading.Event, *, whole: bool) -> None:
        camera = self._cameras[camera_id]
        camera.end()
        self._embed([camera])
        fault = self._sources[camera_id].fault if whole else "stopped before its end"
        self._send(camera_id, stop, "partial" if fault else "complete", fault)

    def _send(
        self, camera_id: str, stop: threading.Event, state: str = "running", fault: str = ""
    ) -> None:
        camera = self._cameras[camera_id]
        observations, tracklets = camera.take_messages(ended=state != "running")
        if not tracklets:
            return
        record = CameraMessage(self._record(camera_id, state, fault))
        self._bus.publish(OBSERVATIONS, [*observations, record], stop)
        self._bus.publish(TRACKLETS, tracklets, stop)

    def _record(self, camera_id: str, state: str, fault: str) -> CameraRecord:
        source, camera = self._sources[camera_id], self._cameras[camera_id]
        start = self._started.get(camera_id, 0.0)
        return CameraRecord(
            camera_id=camera_id,
            source=redact(self._config.cameras[camera_id].source or ""),
            width=source.width,
            height=source.height,
            fps=source.fps,
            frames=camera.frames,
            start=start,
            end=camera.timestamp if camera.frames else start,
            timestamp_origin=source.timestamp_origin,
            state=state,
            detail=fault,
        )
