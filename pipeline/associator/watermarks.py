"""Which cameras take part in a run, how far each has told what it saw, and when a message counts.

Event time goes as far as the camera that is behind all others: up to there everything is known. A
camera that joins later is waited for from the moment that was complete when it joined; it may come
back after its end. While a node is open, which may bring more, the run goes on.
"""

import logging
import math
from collections.abc import Callable, Iterable

import msgspec

from pipeline.bus.entries import Delivery
from pipeline.bus.messages import JoinMessage, NodeMessage, TrackletMessage, WatermarkMessage

_log = logging.getLogger(__name__)


class Silence:
    """Which of the cameras ``live`` have been silent for ``after_s`` while others were not.

    A node tells of a live camera all the time, also of one that is lost. ``clock`` gives seconds
    that only move forward; at the start all count as just heard. Recordings may take their time.
    """

    def __init__(self, live: Iterable[str], after_s: float, clock: Callable[[], float]) -> None:
        self.cameras: frozenset[str] = frozenset()
        self._after_s = after_s
        self._clock = clock
        self._heard = dict.fromkeys(live, clock())

    def live(self) -> list[str]:
        """The live cameras that are known."""
        return sorted(self._heard)

    def heard(self, camera_id: str) -> None:
        """Something came of a camera."""
        if camera_id in self._heard:
            self._heard[camera_id] = self._clock()
        if camera_id in self.cameras:
            self.cameras -= {camera_id}
            _log.warning("camera %s: its node is heard again", camera_id)

    def joined(self, camera_id: str) -> None:
        """A live camera takes part from now on."""
        self._heard[camera_id] = self._clock()

    def look(self, running: Iterable[str]) -> None:
        """See who is silent, once all that has come is read; ``running`` have not ended."""
        waited_for = set(running)
        since = self._clock() - self._after_s
        silent = {c for c in waited_for if c in self._heard and self._heard[c] <= since}
        if silent == waited_for:
            return
        fresh = sorted(silent - self.cameras)
        if fresh:
            _log.warning(
                "nothing came of camera %s for %g s: is its node at work? Going on without it",
                ", ".join(fresh),
                self._after_s,
            )
        self.cameras = frozenset(silent)


class Known(msgspec.Struct):
    """What a restart needs: who takes part is what was decided with.

    ``watermarks`` says up to when each camera has told all, ``reached`` the last moment decided on
    of each sender. ``joined`` is the moment at which each camera joined, by the number of its
    message, ``nodes`` whether each may bring more. ``decided`` is the last moment of all.
    """

    watermarks: dict[str, float] = {}
    ended: set[str] = set()
    reached: dict[str, float] = {}
    joined: dict[str, float] = {}
    nodes: dict[str, bool] = {}
    decided: float = -math.inf
    live: list[str] = []


class Attendees:
    """Keeps count of cameras and nodes. Tell it of every delivery, in the order of its sender."""

    def __init__(self, camera_ids: Iterable[str], silence: Silence) -> None:
        self._known = Known(dict.fromkeys(camera_ids, -math.inf), set())
        self._silence = silence
        # When the next message of each sender counts at the earliest.
        self._latest: dict[str, float] = {}

    def known(self) -> Known:
        """What is kept of it."""
        self._known.live = self._silence.live()
        return self._known

    def restore(self, known: Known) -> None:
        """Take back what `known` gave."""
        self._known = known
        self._latest = dict(known.reached)
        for camera_id in known.live:
            self._silence.joined(camera_id)

    @property
    def decided(self) -> float:
        """The last moment that was decided, seconds UTC."""
        return self._known.decided

    def hear(self, delivery: Delivery) -> float:
        """Take a delivery; returns the moment at which it is dealt with.

        That is not before those that its camera sent before, nor in what is decided already.
        """
        self._silence.heard(delivery.sender)
        match delivery.message:
            case JoinMessage(camera_id=camera_id):
                self._join(camera_id, delivery)
            case NodeMessage(node=node, open=is_open):
                self._known.nodes[node] = is_open
            case WatermarkMessage(camera_id=camera_id, timestamp=timestamp, ended=ended):
                self._reach(camera_id, timestamp)
                if ended:
                    self._known.ended.add(camera_id)
        at = self._latest.get(delivery.sender, -math.inf)
        match delivery.message:
            case TrackletMessage(at=own) | WatermarkMessage(timestamp=own):
                at = max(at, own, self._known.decided)
        self._latest[delivery.sender] = at
        return at

    def complete_until(self) -> float:
        """Up to this moment every camera that is waited for has told all it saw."""
        waited_for = self._running() - self._silence.cameras
        return min((self._known.watermarks[name] for name in waited_for), default=math.inf)

    def last_told(self, default: float) -> float:
        """The last moment that any camera told of."""
        told = (at for at in self._known.watermarks.values() if math.isfinite(at))
        return max(told, default=default)

    def all_ended(self) -> bool:
        """Whether no more will come."""
        known = self._known
        heard = bool(known.watermarks or known.nodes)
        return heard and not any(known.nodes.values()) and not self._running()

    def look(self) -> None:
        """See who is silent, once all that has come is read."""
        self._silence.look(self._running())

    def note_decided(self, at: float, done: Iterable[Delivery]) -> None:
        """A camera goes on after the last moment that was decided of it, also after a restart."""
        self._known.decided = max(self._known.decided, at)
        for delivery in done:
            if delivery.sender:
                self._known.reached[delivery.sender] = at
            if isinstance(delivery.message, JoinMessage):
                self._known.joined.pop(_name_of(delivery.message.camera_id, delivery), None)

    def _join(self, camera_id: str, delivery: Delivery) -> None:
        """From now on wait for a camera; what it sends comes after all that is complete now.

        That may be decided already, or not, so what counts is the order in the stream. Who starts
        again has read beyond it, and goes by what was noted.
        """
        self._silence.joined(camera_id)
        before = self._known.watermarks.get(camera_id, -math.inf)
        complete = max(before, self._told_until())
        complete = self._known.joined.setdefault(_name_of(camera_id, delivery), complete)
        self._reach(camera_id, complete)
        self._known.ended.discard(camera_id)
        after = math.nextafter(complete, math.inf)
        self._latest[delivery.sender] = max(self._latest.get(delivery.sender, after), after)

    def _reach(self, camera_id: str, moment: float) -> None:
        before = self._known.watermarks.get(camera_id, -math.inf)
        self._known.watermarks[camera_id] = max(before, moment)

    def _told_until(self) -> float:
        """The moment that is complete, and when nobody runs the last that anything was sent for."""
        complete = self.complete_until()
        if complete < math.inf:
            return complete
        return max((*self._known.watermarks.values(), *self._latest.values()), default=-math.inf)

    def _running(self) -> set[str]:
        return self._known.watermarks.keys() - self._known.ended


def _name_of(camera_id: str, delivery: Delivery) -> str:
    return f"{camera_id}:{delivery.number}"
