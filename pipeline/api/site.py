"""All that the live API knows of a site, out of what is heard on the streams."""

import logging
import math
import threading
from collections.abc import Callable

import msgspec

from pipeline.api.archive import Archive
from pipeline.api.camera_states import Cameras
from pipeline.api.events import Event, Events
from pipeline.api.recent_people import RecentPeople, RecentRows
from pipeline.api.schemas import CameraAnswer, CameraState, PersonAnswer
from pipeline.bus import follow
from pipeline.bus.connection import BusLostError
from pipeline.bus.entries import Delivery
from pipeline.bus.follow import BEGINNING
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import (
    CameraMessage,
    EndMessage,
    ForgetMessage,
    IdentityMessage,
    ObservationsMessage,
)
from pipeline.bus.order import Numbers, sender_of
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.sources.redact import redact


class LiveSite:
    """Cameras, people and events of the site of ``config``.

    One thread takes what is heard, any may ask. ``monotonic`` gives seconds that only move forward,
    ``clock`` seconds UTC.
    """

    def __init__(
        self,
        config: SiteConfig,
        archive: Archive | None,
        monotonic: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self.name = config.site
        self.run = ""
        self.events = Events()
        self._sources = {name: redact(c.source or "") for name, c in config.cameras.items()}
        self._keep_s = config.association.gallery_s
        self._archive = archive
        self._monotonic = monotonic
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, tuple[CameraState, str]] = {}
        self._last_event = (0, 0)
        self._cameras = Cameras(self._sources)
        self._people = RecentPeople(self._keep_s)
        self._numbers: Numbers = {}

    @property
    def archive(self) -> Archive | None:
        """The run directory, unless it holds another run than the present one."""
        archive = self._archive
        if archive is None or (self.run and archive.run() not in ("", self.run)):
            return None
        return archive

    def begin(self, run: str) -> None:
        """Begin with what the run directory holds of the time that memory spans."""
        if self.run and run != self.run:
            self.events.add({"type": "run", "run": run})
        self.run = run
        cameras, people = Cameras(self._sources), RecentPeople(self._keep_s)
        if (archive := self.archive) is not None:
            written = archive.cameras()
            latest = max((camera.end for camera in written), default=-math.inf)
            people.remember(archive.tracks(), archive.parts(), latest)
            for camera in written:
                cameras.hear(camera, self._monotonic(), None)
        with self._lock:
            self._cameras, self._people, self._numbers = cameras, people, {}

    def hear(self, delivery: Delivery) -> bool:
        """Take a message; returns whether others of its sender are missing before it."""
        at = _entry(delivery)[0] / 1000
        with self._lock:
            match delivery.message:
                case ObservationsMessage() as message:
                    self._people.see(message)
                case CameraMessage(camera=camera):
                    self._cameras.hear(camera, self._monotonic(), at)
                    if camera.frames:
                        self._people.reach(camera.end)
                case IdentityMessage() as message:
                    self._people.identify(message)
                    self._tell_once(delivery, msgspec.to_builtins(message))
                case ForgetMessage(global_id=global_id):
                    self._people.forget(global_id)
                    self.events.forget(global_id)
                    self._tell_once(delivery, {"type": "forget", "global_id": global_id})
                case EndMessage() as message:
                    self._tell_once(delivery, msgspec.to_builtins(message))
            return self._is_early(delivery)

    def tidy(self) -> None:
        """Forget what is old, and tell which cameras have changed."""
        with self._lock:
            self._people.tidy()
            for camera in self._cameras.all(self._monotonic()):
                if self._told.get(camera.id) != (camera.state, camera.reason):
                    self._told[camera.id] = camera.state, camera.reason
                    self.events.add(_change(camera))

    def cameras(self) -> list[CameraAnswer]:
        """Every camera, by name."""
        with self._lock:
            return self._cameras.all(self._monotonic())

    def now(self) -> float | None:
        """The time at the site, seconds UTC: that of the clock when a camera is live, else as far
        as its recordings have come; None before there was anything.
        """
        with self._lock:
            latest, live = self._people.latest, self._cameras.any_live()
        if live:
            return max(latest, self._clock())
        return latest if math.isfinite(latest) else None

    def people_since(self, moment: float) -> list[PersonAnswer]:
        """Everybody who was seen after ``moment``, by global id."""
        with self._lock:
            return self._people.current(moment)

    def memory(self) -> RecentRows:
        """What is remembered of the last minutes."""
        with self._lock:
            return self._people.memory()

    def _is_early(self, delivery: Delivery) -> bool:
        sender = sender_of(delivery)
        last = self._numbers.get(sender, delivery.number - 1)
        self._numbers[sender] = max(last, delivery.number)
        return delivery.number > last + 1

    def _tell_once(self, delivery: Delivery, event: Event) -> None:
        """Tell it unless it was told before the streams were read anew."""
        if _entry(delivery) > self._last_event:
            self._last_event = _entry(delivery)
            self.events.add(event)


def _entry(delivery: Delivery) -> tuple[int, int]:
    milliseconds, _, sequence = delivery.entry_id.partition("-")
    return int(milliseconds), int(sequence)


def _change(camera: CameraAnswer) -> Event:
    return {
        "type": "camera",
        "camera_id": camera.id,
        "state": camera.state,
        "reason": camera.reason,
        "at": camera.since,
    }


_BLOCK_S = 0.5
_AGAIN_S = 1.0
# Identities first: of what is read at once, a person should be known before she is shown.
_STREAMS = (IDENTITIES, OBSERVATIONS)

_log = logging.getLogger(__name__)


class Follower:
    """Gives ``site`` what is on the streams of ``bus``.

    It reads in no group, so nobody waits for it. What every group had acknowledged before it came
    by is missed; then all is put together anew, from the run directory and from what is still on
    the streams, as when it starts.
    """

    def __init__(self, bus: Bus, site: LiveSite) -> None:
        self.reachable = True
        self._bus = bus
        self._site = site
        self._after: dict[str, str] = {}

    def run(self, stop: threading.Event, on_fault: Callable[[], None]) -> None:
        """Work until ``stop`` is set; ``on_fault`` is told should that end by a fault of ours."""
        try:
            while not stop.is_set():
                self._step_or_wait(stop)
        except BaseException:
            on_fault()
            raise

    def step(self) -> None:
        """Read once. Raises UserError when Redis or the run directory cannot be read."""
        run = self._bus.run() or self._site.run
        if not self._after or run != self._site.run:
            self._begin(run)
        for delivery in follow.read_without_group(self._bus, self._after, _BLOCK_S):
            if self._site.hear(delivery):
                self._site.events.add({"type": "missed"})
                _log.warning(
                    "%s: too slow, messages of %s were missed", delivery.stream, delivery.sender
                )
                self._begin(run)
                return
            self._after[delivery.stream] = delivery.entry_id
        self._site.tidy()

    def _begin(self, run: str) -> None:
        self._site.begin(run)
        self._after = dict.fromkeys(_STREAMS, BEGINNING)

    def _step_or_wait(self, stop: threading.Event) -> None:
        try:
            self.step()
        except UserError as error:
            if self.reachable:
                _log.warning("%s. Trying again", error)
            self.reachable = not isinstance(error, BusLostError)
            stop.wait(_AGAIN_S)
        else:
            self.reachable = True
