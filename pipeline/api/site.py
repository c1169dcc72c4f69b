"""The current state of a site for the live API, built from the messages on the streams."""

import logging
import math
import threading
from collections.abc import Callable
from functools import partial

import msgspec
import pyarrow as pa

from pipeline.analytics.live_events import LivePlaces
from pipeline.analytics.places import Places, check_places_of
from pipeline.api.archive import Archive
from pipeline.api.camera_states import Cameras
from pipeline.api.events import Event, Events
from pipeline.api.recent_frames import RecentFrames
from pipeline.api.recent_people import RecentPeople, RecentRows
from pipeline.api.schemas import (
    BoxAnswer,
    CameraAnswer,
    CameraState,
    CountsAnswer,
    LineCount,
    PersonAnswer,
    ZoneCount,
)
from pipeline.bus import follow
from pipeline.bus.connection import BusLostError
from pipeline.bus.entries import Delivery
from pipeline.bus.follow import BEGINNING
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import (
    CameraMessage,
    CorrectionMessage,
    EndMessage,
    ForgetMessage,
    IdentityMessage,
    ObservationsMessage,
)
from pipeline.bus.order import Numbers, is_too_far, sender_of
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.run_directory.row_groups import steadily
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources.redact import displayed
from trackers.association.corrections import Correction


class LiveSite:
    """Cameras, people and events of the site of ``config``.

    One thread consumes messages, any thread may read. ``monotonic`` returns monotonic seconds,
    ``clock`` seconds UTC. ``reachable`` is whether Redis answers. Corrections go over ``bus``.
    """

    is_live = True

    def __init__(
        self,
        config: SiteConfig,
        archive: Archive | None,
        monotonic: Callable[[], float],
        clock: Callable[[], float],
        bus: Bus | None = None,
    ) -> None:
        self.bus = bus
        self.name = config.site
        self.config = config
        self.run = ""
        self.reachable = True
        self.events = Events()
        self._sources = {name: displayed(c.source or "") for name, c in config.cameras.items()}
        self._keep_s = config.association.gallery_s
        self._archive = archive
        self._monotonic = monotonic
        self._clock = clock
        self._lock = threading.Lock()
        self._reported: dict[str, tuple[CameraState, str]] = {}
        self._last_event = (0, 0)
        self._cameras = Cameras(self._sources)
        self._people = RecentPeople(self._keep_s)
        self._frames = RecentFrames()
        self._numbers: Numbers = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._named = Places(config.zones, config.lines)
        self._places = LivePlaces(self._named, self._keep_s)

    @property
    def archive(self) -> Archive | None:
        """The run directory, None when it is of another run than the current one."""
        archive = self._archive
        if archive is None or (self.run and archive.run() not in ("", self.run)):
            return None
        return archive

    def reset(self, run: str) -> None:
        """Reset the state to the recent data of the run directory, for the run ``run``."""
        if self.run and run != self.run:
            self.events.add({"type": "run", "run": run})
            self._places = LivePlaces(self._named, self._keep_s)
        self.run = run
        cameras, people = Cameras(self._sources), RecentPeople(self._keep_s)
        if (archive := self.archive) is not None:
            written = archive.cameras()
            latest = max((camera.end for camera in written), default=-math.inf)
            parts, tracks = steadily(partial(archive.recent, latest - self._keep_s))
            people.restore(tracks, parts, latest)
            for camera in written:
                cameras.update(camera, self._monotonic(), None)
        with self._lock:
            self._cameras, self._people, self._numbers = cameras, people, {}
            self._frames = RecentFrames()
            self._places.reset_tracks()

    def consume(self, delivery: Delivery) -> bool:
        """Update the state by a message; returns whether earlier ones of its sender are missing."""
        at = _entry(delivery)[0] / 1000
        with self._lock:
            # First, so that a message that cannot be used is not missed afterwards.
            is_early = self._is_early(delivery)
            match delivery.message:
                case ObservationsMessage() as message:
                    self._frames.add(message)
                    rows = self._people.add_observations(message)
                    if rows is not None:
                        self._places.add(message.camera_id, rows)
                case CameraMessage(camera=camera):
                    self._check_places(camera)
                    self._cameras.update(camera, self._monotonic(), at)
                    if camera.frames:
                        self._people.advance_to(camera.end)
                        self._frames.advance(camera.camera_id, camera.end)
                case IdentityMessage() as message:
                    self._people.add_identity(message)
                    self._add_event_once(delivery, msgspec.to_builtins(message))
                case ForgetMessage(global_id=global_id, tracks=tracks):
                    self._people.forget(global_id)
                    for camera_id, _ in tracks:
                        self._frames.drop(camera_id)
                    self._places.forget(global_id)
                    self.events.forget(global_id)
                    self._add_event_once(delivery, {"type": "forget", "global_id": global_id})
                case CorrectionMessage(correction=made):
                    self._add_event_once(delivery, _correction(made))
                case EndMessage() as message:
                    self._add_event_once(delivery, msgspec.to_builtins(message))
            return is_early

    def refresh(self) -> None:
        """Drop old data, and add events of zones, lines and cameras whose state has changed."""
        with self._lock:
            for event in self._places.take_events(self._people.person_at, self._people.latest):
                self.events.add(event)
            self._people.expire()
            for camera in self._cameras.all(self._monotonic()):
                if self._reported.get(camera.id) != (camera.state, camera.reason):
                    self._reported[camera.id] = camera.state, camera.reason
                    self.events.add(_change(camera))

    def cameras(self) -> list[CameraAnswer]:
        """All cameras, by name."""
        with self._lock:
            return self._cameras.all(self._monotonic())

    def now(self) -> float | None:
        """The current time of the site, seconds UTC: wall-clock time if a camera is live, else the
        latest event time; None before the first message.
        """
        with self._lock:
            latest, live = self._people.latest, self._cameras.any_live()
        if live:
            return max(latest, self._clock())
        return latest if math.isfinite(latest) else None

    def people_since(self, moment: float) -> list[PersonAnswer]:
        """All people seen after ``moment``, seconds UTC, by global id."""
        with self._lock:
            return self._people.current(moment)

    def observed(self, camera_id: str) -> float:
        """The time up to which the boxes of a camera are known, seconds UTC; -inf before."""
        with self._lock:
            return self._frames.observed(camera_id)

    def boxes_at(self, camera_id: str, timestamp: float) -> list[BoxAnswer]:
        """The people in the frame of a camera at this time, seconds UTC."""
        with self._lock:
            return [
                BoxAnswer(
                    self._people.person_at((camera_id, seen.track_id), timestamp),
                    seen.track_id,
                    seen.box,
                    seen.confidence,
                    seen.ground,
                )
                for seen in self._frames.at(camera_id, timestamp)
            ]

    def counts(self) -> CountsAnswer:
        """The people in each zone now, and the crossings of each line since the API began."""
        with self._lock:
            places = self._places
            zones = [ZoneCount(name, len(ids), ids) for name, ids in places.people_in().items()]
            lines = [LineCount(*one, places.crossings[one]) for one in places.line_directions()]
        return CountsAnswer(self.now(), zones, lines)

    def recent_rows(self) -> RecentRows:
        """Recent parts, tracks and observations."""
        with self._lock:
            return self._people.tables()

    def _check_places(self, camera: CameraRecord) -> None:
        """Warn of a zone or line outside the picture of a camera, once its size is known."""
        size = camera.width, camera.height
        if camera.camera_id in self._sources and self._sizes.get(camera.camera_id) != size:
            self._sizes[camera.camera_id] = size
            try:
                check_places_of(self.config, {camera.camera_id: size})
            except UserError as error:
                _log.warning("%s: nobody is counted there", error)

    def _is_early(self, delivery: Delivery) -> bool:
        sender = sender_of(delivery)
        last = self._numbers.get(sender, delivery.number - 1)
        if is_too_far(delivery.number, last):
            # The recorder will refuse it.
            return False
        self._numbers[sender] = max(last, delivery.number)
        return delivery.number > last + 1

    def _add_event_once(self, delivery: Delivery, event: Event) -> None:
        """Add an event unless it was added before the streams were read again."""
        if _entry(delivery) > self._last_event:
            self._last_event = _entry(delivery)
            self.events.add(event)


def _entry(delivery: Delivery) -> tuple[int, int]:
    milliseconds, _, sequence = delivery.entry_id.partition("-")
    return int(milliseconds), int(sequence)


def _correction(made: Correction) -> Event:
    return {
        "type": "correction",
        "number": made.number,
        "kind": made.kind,
        "by": made.by,
        "text": made.text,
        "global_ids": sorted(made.people),
        "at": made.at,
    }


def _change(camera: CameraAnswer) -> Event:
    return {
        "type": "camera",
        "camera_id": camera.id,
        "state": camera.state,
        "reason": camera.reason,
        "at": camera.since,
    }


_BLOCK_S = 0.5
_RETRY_S = 1.0
# Identities first, so that within one read people are identified before they are shown.
_STREAMS = (IDENTITIES, OBSERVATIONS)

_log = logging.getLogger(__name__)


class Follower:
    """Reads the streams of ``bus`` and updates ``site``.

    It reads without a consumer group, so trimming does not wait for it, and it may miss entries.
    In that case the state is rebuilt as at the start, from the run directory and the entries still
    on the streams.
    """

    def __init__(self, bus: Bus, site: LiveSite) -> None:
        self._bus = bus
        self._site = site
        self._after: dict[str, str] = {}

    def run(self, stop: threading.Event, on_fault: Callable[[], None]) -> None:
        """Run until ``stop`` is set; ``on_fault`` is called before an internal error is raised."""
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
            self._reset(run)
        for delivery in follow.read_without_group(self._bus, self._after, _BLOCK_S):
            if self._is_early(delivery):
                self._site.events.add({"type": "missed"})
                _log.warning(
                    "%s: reading too slowly, missed messages of %s",
                    delivery.stream,
                    delivery.sender,
                )
                self._reset(run)
                return
            self._after[delivery.stream] = delivery.entry_id
        self._site.refresh()

    def _is_early(self, delivery: Delivery) -> bool:
        """Have the site consume a message; returns whether earlier ones are missing."""
        try:
            return self._site.consume(delivery)
        except (pa.ArrowException, ValueError, OverflowError) as error:
            # The recorder makes it a dead letter.
            _log.warning("%s: a message of %s: %s", delivery.stream, delivery.sender, error)
            return False

    def _reset(self, run: str) -> None:
        self._site.reset(run)
        self._after = dict.fromkeys(_STREAMS, BEGINNING)

    def _step_or_wait(self, stop: threading.Event) -> None:
        try:
            self.step()
        except UserError as error:
            if self._site.reachable:
                _log.warning("%s. Retrying", error)
            self._site.reachable = not isinstance(error, BusLostError)
            stop.wait(_RETRY_S)
        else:
            self._site.reachable = True
