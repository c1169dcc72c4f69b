"""What a process knows of its own work; its parts write it, metrics and health read it."""

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
from pipeline.monitoring.logs import add_about
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.source_kinds import live_cameras
from trackers.association.association import Decision

#: Seconds from the capture of a frame to what became of it.
DELAYS_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
#: Pictures in one call of a network.
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How many values were at most as large as each of ``bounds``, and what they add up to."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """One more value."""
        place = sum(value > bound for bound in self.bounds)
        self._counts[place] += 1
        self.total += value

    def cumulative(self) -> list[int]:
        """How many values were at most each bound; the last number is that of all."""
        return list(accumulate(self._counts))


@dataclass(eq=False, slots=True)
class CameraCounts:
    """One camera: what the node saw and sent, what the associator decided."""

    frames: int = 0
    detections: int = 0
    tracklets: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    to_sent_s: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))
    to_identity_s: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))


class Watch:
    """The work of one process.

    ``waits_for`` says what it needs before it can begin, empty once it has it. ``steps`` is when
    each loop that is at work made its last step, ``retries`` how often Redis was asked again,
    ``decides`` whether it is the associator that decides, ``recorded`` how many messages are on
    disk. Frames come from the ``readers``. ``now`` gives seconds UTC, ``ticks`` seconds that only
    move forward.
    """

    def __init__(
        self,
        config: SiteConfig | None = None,
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus: Bus | None = None
        self.waits_for = ""
        self.steps: dict[str, float] = {}
        self.retries = self.recorded = 0
        self.decides = False
        self.detector_batches = Histogram(BATCHES)
        self.embedder_batches = Histogram(BATCHES)
        self.cameras: dict[str, CameraCounts] = {}
        self.readers: dict[str, DecodeAhead] = {}
        self.ticks = ticks
        self._now = now
        self._live: set[str] = set()
        if config is not None:
            self.knows(config)

    @contextmanager
    def at_work(self, loop: str) -> Iterator[None]:
        """While the block runs, ``loop`` is expected to make steps."""
        self.step(loop)
        try:
            yield
        finally:
            self.steps.pop(loop, None)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While the block runs, the process opens what it needs."""
        self.waits_for = "sources and models are being opened"
        yield
        self.waits_for = ""

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """While the block runs, this process is the associator that decides."""
        self.decides = True
        try:
            yield
        finally:
            self.decides = False

    def reached(self, bus: Bus) -> None:
        """``bus`` leads to the Redis of the run."""
        add_about(run=bus.run())
        self.bus = bus

    def step(self, loop: str) -> None:
        """``loop`` went round once more."""
        self.steps[loop] = self.ticks()

    def waited(self, loop: str) -> None:
        """``loop`` asked a lost Redis once more."""
        self.retries += 1
        self.step(loop)

    def knows(self, config: SiteConfig) -> None:
        """The cameras of the site are those of ``config`` from now on."""
        self._live = set(live_cameras(config))

    def reads(self, reader: DecodeAhead) -> None:
        """A camera is read from now on."""
        source = reader.source
        self.readers[source.camera_id] = reader
        self._of(source.camera_id)
        (self._live.add if source.live else self._live.discard)(source.camera_id)

    def leaves(self, camera_id: str) -> None:
        """A camera belongs to this process no longer."""
        self.readers.pop(camera_id, None)
        self.cameras.pop(camera_id, None)

    def saw(self, camera_id: str, people: int) -> None:
        """``people`` were found in the next frame."""
        counts = self._of(camera_id)
        counts.frames += 1
        counts.detections += people

    def sent(self, camera_id: str, messages: Iterable[Message]) -> None:
        """These are in Redis now."""
        counts, now = self._of(camera_id), self._now()
        for message in messages:
            if isinstance(message, TrackletMessage):
                counts.tracklets += message.closed
            if isinstance(message, ObservationsMessage) and camera_id in self._live:
                for captured in np.unique(unpack(message.timestamp)):
                    counts.to_sent_s.add(now - float(captured))

    def decided(
        self, at: float, tracklets: Iterable[TrackletMessage], decisions: Sequence[Decision]
    ) -> None:
        """Who ``tracklets``, known up to the moment ``at`` (seconds UTC), are is in Redis now."""
        now = self._now()
        for camera_id in sorted({tracklet.camera_id for tracklet in tracklets} & self._live):
            self._of(camera_id).to_identity_s.add(now - at)
        for decision in decisions:
            self._of(decision.key[0]).decisions[decision.kind] += 1

    def _of(self, camera_id: str) -> CameraCounts:
        return self.cameras.setdefault(camera_id, CameraCounts())


@dataclass(frozen=True, slots=True)
class Backlog:
    """The streams of a run by their short names, and what waits in them.

    ``run`` is the name that the run has in Redis. ``pending`` is by stream and group: delivered and
    not acknowledged. ``dead`` messages could not be used. ``memory`` is in bytes, of all of Redis.
    """

    run: str
    lengths: dict[str, int]
    pending: dict[tuple[str, str], int]
    dead: int
    memory: int


def backlog_of(watch: Watch) -> Backlog:
    """What waits in the Redis of ``watch``. Raises UserError when it does not answer."""
    bus: Bus | None = watch.bus
    if bus is None:
        raise UserError("Redis was not reached yet")
    return Backlog(
        bus.run(), bus.lengths(), backpressure.pending(bus), bus.dead_letters(), bus.memory()
    )
