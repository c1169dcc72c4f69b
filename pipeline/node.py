"""A node: frames of N cameras in, observations and tracklets out.

One detector call and one embedder call serve the frames and crops of all cameras.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import CameraMessage, Message
from pipeline.bus.outbox import Outbox
from pipeline.bus.patience import Patience
from pipeline.bus.streams import Bus
from pipeline.camera import Camera, thumbnails_of
from pipeline.config import SiteConfig
from pipeline.continuing import Continued
from pipeline.crops import cut
from pipeline.frame import Frame
from pipeline.run_directory.schema import Camera as CameraRecord
from pipeline.schedule import AnyFrame, Schedule
from pipeline.sources import Source
from pipeline.sources.decode_ahead import DecodeAhead, close_all
from pipeline.sources.life import life_of
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

    While Redis is away or full the node waits, until ``give_up`` is set: recordings stand still,
    live cameras drop frames. A node that starts again sends what was not sent yet, see `Outbox`.
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
        give_up: threading.Event | None = None,
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
        self._readers: dict[str, DecodeAhead] = {}
        self._patience = Patience(give_up or threading.Event(), time.monotonic)
        self._outboxes = {
            camera_id: self._patience.insist(partial(Outbox, bus, camera_id, live=source.live))
            for camera_id, source in self._sources.items()
        }
        self._continued = {
            camera_id: Continued(camera_id, self._outboxes[camera_id].known)
            for camera_id, source in self._sources.items()
            if source.live
        }

    def run(self, stop: threading.Event) -> None:
        """Work until every source has ended or ``stop`` is set; then send what is still open."""
        if all(outbox.known.ended for outbox in self._outboxes.values()):
            return
        for camera_id, continued in self._continued.items():
            endings = [(TRACKLETS, message) for message in continued.endings()]
            if endings:
                self._publish(camera_id, endings, stop, ended=False)
        for camera_id, source in self._sources.items():
            buffer_s = self._config.cameras[camera_id].live.buffer_s
            self._readers[camera_id] = DecodeAhead(source, _DECODED_AHEAD, buffer_s)
        try:
            schedule = Schedule(self._readers.values(), self._config.detector.batch)
            running = set(self._cameras)
            while (batch := schedule.next_batch(stop)) is not None:
                self._process(batch, running, stop)
                for camera_id in sorted(filter(schedule.ended, running)):
                    running.discard(camera_id)
                    self._end(camera_id, stop, whole=True)
            for camera_id in sorted(running):
                self._end(camera_id, stop, whole=schedule.ended(camera_id))
        finally:
            close_all(self._readers.values())

    def _process(self, batch: list[AnyFrame], running: set[str], stop: threading.Event) -> None:
        batch = [frame for frame in batch if self._is_in_time(frame)]
        for frame, detections in zip(batch, self._detect(batch), strict=True):
            self._started.setdefault(frame.camera_id, frame.timestamp)
            self._cameras[frame.camera_id].see(frame, detections)
        seen = {frame.camera_id for frame in batch}
        passed = self._pass_time(batch, running - seen) | self._pass_live_time(running)
        touched = sorted(seen | passed)
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

    def _pass_live_time(self, running: set[str]) -> set[str]:
        """Go on without the live cameras that have been silent for too long; returns them."""
        passed = set()
        for camera_id in running:
            life, camera = life_of(self._sources[camera_id]), self._cameras[camera_id]
            if life is None or not self._readers[camera_id].empty():
                continue
            moment = life.passed()
            if moment > camera.reached:
                camera.pass_time(moment)
                passed.add(camera_id)
        return passed

    def _is_in_time(self, frame: AnyFrame) -> bool:
        """Whether its moment is not over yet; that of a live camera's frame can be."""
        in_time = frame.timestamp >= self._cameras[frame.camera_id].reached
        life = life_of(self._sources[frame.camera_id])
        if life is not None:
            life.late += not in_time
        return in_time

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
        source = self._sources[camera_id]
        # A live camera has no other end than being stopped.
        fault = source.fault if whole or source.live else "stopped before its end"
        self._send(camera_id, stop, "partial" if fault else "complete", fault)

    def _send(
        self, camera_id: str, stop: threading.Event, state: str = "running", fault: str = ""
    ) -> None:
        camera = self._cameras[camera_id]
        observations, tracklets = camera.take_messages(ended=state != "running")
        if not tracklets:
            return
        record = CameraMessage(self._record(camera_id, state, fault))
        messages: list[tuple[str, Message]] = [
            *((OBSERVATIONS, message) for message in (*observations, record)),
            *((TRACKLETS, message) for message in tracklets),
        ]
        if continued := self._continued.get(camera_id):
            messages = [(stream, continued.shifted(message)) for stream, message in messages]
        self._publish(camera_id, messages, stop, ended=state != "running")

    def _publish(
        self,
        camera_id: str,
        messages: list[tuple[str, Message]],
        stop: threading.Event,
        *,
        ended: bool,
    ) -> None:
        continued = self._continued.get(camera_id)
        memory = continued.remember([message for _, message in messages]) if continued else {}
        send = partial(self._outboxes[camera_id].send, messages, ended=ended, **memory)
        self._patience.insist(partial(self._bus.wait_for_room, stop))
        self._patience.insist(send)

    def _record(self, camera_id: str, state: str, fault: str) -> CameraRecord:
        source, camera = self._sources[camera_id], self._cameras[camera_id]
        start = self._started.get(camera_id, 0.0)
        life = life_of(source)
        dropped = self._readers[camera_id].dropped + (life.dropped + life.late if life else 0)
        if life is not None and state == "running":
            fault = life.phase().text
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
            dropped=dropped,
        )
