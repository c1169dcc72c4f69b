"""Counters and state of a process, written by its parts and read by metrics and health checks."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from pipeline.bus import backpressure
from pipeline.bus.messages import Message, ObservationsMessage, TrackletMessage, unpack
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.logs import add_context
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.source_kinds import live_cameras
from trackers.association.association import Decision

#: Histogram bounds of delays since the capture of a frame, in seconds.
DELAYS_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
#: Histogram bounds of the batch size of one network call.
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Cumulative histogram with upper ``bounds``; ``total`` is the sum of the values."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        bucket = sum(value > bound for bound in self.bounds)
        self._counts[bucket] += 1
        self.total += value

    def cumulative(self) -> list[int]:
        """Number of values up to and including each bound; the last entry counts all values."""
        return list(accumulate(self._counts))


@dataclass(eq=False, slots=True)
class CameraCounts:
    """Counters of one camera in the node and the associator."""

    frames: int = 0
    detections: int = 0
    tracklets: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    to_sent_s: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))
    to_identity_s: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))


@dataclass(frozen=True, slots=True)
class CameraLoad:
    """How much of a live camera is followed: ``fps`` of ``sent_fps`` frames a second.

    ``delay_s`` is the mean time from the arrival of a frame to its result, ``overloaded_s`` how
    many seconds it has been overloaded so far.
    """

    fps: float = 0.0
    sent_fps: float = 0.0
    delay_s: float = 0.0
    overloaded: bool = False
    overloaded_s: float = 0.0


class Watch:
    """Counters and state of one process.

    ``waiting_for`` names what is missing before the process is ready, else it is empty; ``faults``
    are reasons why it does not do all of its work now, by kind. ``steps``
    is the time of the last step of each running loop, ``retries`` the number of retries of Redis,
    ``is_deciding`` whether this is the active associator, ``recorded`` the number of messages on
    disk, ``crops_shed`` the number of crops that an overload left out, ``loads`` the load of each
    live camera, and ``readers`` the frame readers by camera. ``now`` returns seconds UTC, ``ticks``
    monotonic seconds.
    """

    def __init__(
        self,
        config: SiteConfig | None = None,
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus: Bus | None = None
        self.waiting_for = ""
        self.faults: dict[str, str] = {}
        self.steps: dict[str, float] = {}
        self.retries = self.recorded = self.crops_shed = 0
        self.loads: dict[str, CameraLoad] = {}
        self.is_deciding = False
        self.detector_batches = Histogram(BATCHES)
        self.embedder_batches = Histogram(BATCHES)
        self.cameras: dict[str, CameraCounts] = {}
        self.readers: dict[str, DecodeAhead] = {}
        self.ticks = ticks
        self._now = now
        self._live: set[str] = set()
        if config is not None:
            self.set_cameras(config)

    @contextmanager
    def running(self, loop: str) -> Iterator[None]:
        """Mark ``loop`` as running during the block; it is then expected to make steps."""
        self.step(loop)
        try:
            yield
        finally:
            self.steps.pop(loop, None)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Mark the process as loading sources and models during the block."""
        self.waiting_for = "sources and models are being opened"
        yield
        self.waiting_for = ""

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Mark this process as the active associator during the block."""
        self.is_deciding = True
        try:
            yield
        finally:
            self.is_deciding = False

    def attach(self, bus: Bus) -> None:
        """Set the connection to the Redis of the run."""
        add_context(run=bus.run())
        self.bus = bus

    def step(self, loop: str) -> None:
        """Record a step of ``loop``."""
        self.steps[loop] = self.ticks()

    def count_retry(self, loop: str) -> None:
        """Count a retry of Redis by ``loop``; it also counts as a step."""
        self.retries += 1
        self.step(loop)

    def set_cameras(self, config: SiteConfig) -> None:
        """Set the cameras of the site to those of ``config``."""
        self._live = set(live_cameras(config))

    def add_reader(self, reader: DecodeAhead) -> None:
        """Add the frame reader of a camera."""
        source = reader.source
        self.readers[source.camera_id] = reader
        self._of(source.camera_id)
        (self._live.add if source.live else self._live.discard)(source.camera_id)

    def remove_camera(self, camera_id: str) -> None:
        """Remove the counters and the reader of a camera."""
        self.readers.pop(camera_id, None)
        self.cameras.pop(camera_id, None)

    def count_frame(self, camera_id: str, people: int) -> None:
        """Count one processed frame with ``people`` detections."""
        counts = self._of(camera_id)
        counts.frames += 1
        counts.detections += people

    def count_sent(self, camera_id: str, messages: Iterable[Message]) -> None:
        """Count messages of a camera that were sent to Redis."""
        counts, now = self._of(camera_id), self._now()
        for message in messages:
            if isinstance(message, TrackletMessage):
                counts.tracklets += message.closed
            if isinstance(message, ObservationsMessage) and camera_id in self._live:
                for captured in np.unique(unpack(message.timestamp)):
                    counts.to_sent_s.add(now - float(captured))

    def count_decisions(
        self, at: float, tracklets: Iterable[TrackletMessage], decisions: Sequence[Decision]
    ) -> None:
        """Count decisions sent to Redis for ``tracklets`` up to event time ``at``, seconds UTC."""
        now = self._now()
        for camera_id in sorted({tracklet.camera_id for tracklet in tracklets} & self._live):
            self._of(camera_id).to_identity_s.add(now - at)
        for decision in decisions:
            self._of(decision.key[0]).decisions[decision.kind] += 1

    def _of(self, camera_id: str) -> CameraCounts:
        return self.cameras.setdefault(camera_id, CameraCounts())


@dataclass(frozen=True, slots=True)
class Backlog:
    """Stream lengths and pending messages of a run, by the streams' short names.

    ``run`` is the name of the run in Redis. ``pending`` counts messages delivered but not
    acknowledged, by stream and group; ``dead`` counts dead letters. ``memory`` is the memory used
    by all of Redis, in bytes.
    """

    run: str
    lengths: dict[str, int]
    pending: dict[tuple[str, str], int]
    dead: int
    memory: int


def backlog_of(bus: Bus | None) -> Backlog:
    """The backlog in a Redis. Raises UserError when it does not answer, or there is none yet."""
    if bus is None:
        raise UserError("not connected to Redis yet")
    return Backlog(
        bus.run(), bus.lengths(), backpressure.pending(bus), bus.dead_letters(), bus.memory()
    )
