"""The cameras of a run and their watermarks: up to which moment everything is known.

Event time advances to the lowest watermark of all cameras. A camera that joins later is waited for
from the moment that was complete when it joined; it may come back after its end. The run goes on
while a node is open, because it may add cameras.
"""

import logging
import math
from collections.abc import Callable, Iterable

import msgspec

from pipeline.bus.entries import Delivery
from pipeline.bus.messages import JoinMessage, NodeMessage, TrackletMessage, WatermarkMessage

# The associator looks for messages many times a second.
_LONGEST_STEP_S = 1.0

_log = logging.getLogger(__name__)


class WorkingTime:
    """Seconds of ``clock`` in which this process ran.

    While a busy or sleeping computer held it up, it held up the nodes too: that is no silence.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._seconds = 0.0

    def __call__(self) -> float:
        """Seconds so far; a step longer than a second counts as one."""
        now = self._clock()
        self._seconds += min(now - self._last, _LONGEST_STEP_S)
        self._last = now
        return self._seconds


class Silence:
    """Which of the cameras ``live`` have been silent for ``after_s`` while others were not.

    A node sends about a live camera all the time, also about one that is lost. ``clock`` returns
    monotonic seconds, which count from the start of this object. Recordings may take any time.
    """

    def __init__(self, live: Iterable[str], after_s: float, clock: Callable[[], float]) -> None:
        self.cameras: frozenset[str] = frozenset()
        self._after_s = after_s
        self._clock = clock
        self._last_received = dict.fromkeys(live, clock())

    def live(self) -> list[str]:
        """The live cameras that are known."""
        return sorted(self._last_received)

    def received(self, camera_id: str) -> None:
        """Note that a message of a camera was received."""
        if camera_id in self._last_received:
            self._last_received[camera_id] = self._clock()
        if camera_id in self.cameras:
            self.cameras -= {camera_id}
            _log.warning("camera %s: its node sends again", camera_id)

    def joined(self, camera_id: str) -> None:
        """Add a live camera."""
        self._last_received[camera_id] = self._clock()

    def update(self, running: Iterable[str]) -> None:
        """Update the silent cameras, once all messages are read; ``running`` have not ended."""
        waited_for = set(running)
        since = self._clock() - self._after_s
        silent = {
            c for c in waited_for if c in self._last_received and self._last_received[c] <= since
        }
        if silent == waited_for:
            return
        fresh = sorted(silent - self.cameras)
        if fresh:
            _log.warning(
                "nothing came of camera %s for %g s: is its node running? Going on without it",
                ", ".join(fresh),
                self._after_s,
            )
        self.cameras = frozenset(silent)


class WatermarkState(msgspec.Struct):
    """What a restart needs, stored together with the decisions.

    ``watermarks`` are those of the cameras, ``reached`` the last moment decided on of each sender.
    ``joined`` is the moment at which each camera joined, by the number of its message; ``nodes``
    says whether each may add cameras. ``decided`` is the last moment of all.
    """

    watermarks: dict[str, float] = {}
    ended: set[str] = set()
    reached: dict[str, float] = {}
    joined: dict[str, float] = {}
    nodes: dict[str, bool] = {}
    decided: float = -math.inf
    live: list[str] = []


class Watermarks:
    """The watermarks of cameras and nodes; `receive` every delivery, in the order of its sender."""

    def __init__(self, camera_ids: Iterable[str], silence: Silence) -> None:
        self._state = WatermarkState(dict.fromkeys(camera_ids, -math.inf), set())
        self._silence = silence
        # The earliest moment at which the next message of each sender counts.
        self._latest: dict[str, float] = {}

    def state(self) -> WatermarkState:
        """The state to store for a restart."""
        self._state.live = self._silence.live()
        return self._state

    def restore(self, known: WatermarkState) -> None:
        """Restore what `state` returned."""
        self._state = known
        self._latest = dict(known.reached)
        for camera_id in known.live:
            self._silence.joined(camera_id)

    @property
    def decided(self) -> float:
        """The last moment that was decided, seconds UTC."""
        return self._state.decided

    def receive(self, delivery: Delivery) -> float:
        """Add a delivery; returns the moment at which it is processed.

        That is never before earlier deliveries of its camera, nor before what is decided already.
        """
        self._silence.received(delivery.sender)
        match delivery.message:
            case JoinMessage(camera_id=camera_id):
                self._join(camera_id, delivery)
            case NodeMessage(node=node, open=is_open):
                self._state.nodes[node] = is_open
            case WatermarkMessage(camera_id=camera_id, timestamp=timestamp, ended=ended):
                self._reach(camera_id, timestamp)
                if ended:
                    self._state.ended.add(camera_id)
        at = self._latest.get(delivery.sender, -math.inf)
        match delivery.message:
            case TrackletMessage(at=own) | WatermarkMessage(timestamp=own):
                at = max(at, own, self._state.decided)
        self._latest[delivery.sender] = at
        return at

    def complete_until(self) -> float:
        """The lowest watermark of the cameras that are waited for."""
        waited_for = self._running() - self._silence.cameras
        return min((self._state.watermarks[name] for name in waited_for), default=math.inf)

    def last_watermark(self, default: float) -> float:
        """The highest watermark of all cameras."""
        finite = (at for at in self._state.watermarks.values() if math.isfinite(at))
        return max(finite, default=default)

    def all_ended(self) -> bool:
        """Whether all cameras and nodes have ended."""
        known = self._state
        heard = bool(known.watermarks or known.nodes)
        return heard and not any(known.nodes.values()) and not self._running()

    def update(self) -> None:
        """Update the silent cameras, once all messages are read."""
        self._silence.update(self._running())

    def note_decided(self, at: float, done: Iterable[Delivery]) -> None:
        """Note a decided moment, after which its senders continue, also after a restart."""
        self._state.decided = max(self._state.decided, at)
        for delivery in done:
            if delivery.sender:
                self._state.reached[delivery.sender] = at
            if isinstance(delivery.message, JoinMessage):
                self._state.joined.pop(_name_of(delivery.message.camera_id, delivery), None)

    def _join(self, camera_id: str, delivery: Delivery) -> None:
        """Wait for a camera from now on; its messages count after all that is complete now.

        That may be decided already, or not, so the order in the stream counts. An associator that
        starts again has read beyond it, and uses the moment that was noted.
        """
        self._silence.joined(camera_id)
        before = self._state.watermarks.get(camera_id, -math.inf)
        complete = max(before, self._complete_or_last())
        complete = self._state.joined.setdefault(_name_of(camera_id, delivery), complete)
        self._reach(camera_id, complete)
        self._state.ended.discard(camera_id)
        after = math.nextafter(complete, math.inf)
        self._latest[delivery.sender] = max(self._latest.get(delivery.sender, after), after)

    def _reach(self, camera_id: str, moment: float) -> None:
        before = self._state.watermarks.get(camera_id, -math.inf)
        self._state.watermarks[camera_id] = max(before, moment)

    def _complete_or_last(self) -> float:
        """The complete moment, or the last of any message when no camera is running."""
        complete = self.complete_until()
        if complete < math.inf:
            return complete
        return max((*self._state.watermarks.values(), *self._latest.values()), default=-math.inf)

    def _running(self) -> set[str]:
        return self._state.watermarks.keys() - self._state.ended


def _name_of(camera_id: str, delivery: Delivery) -> str:
    return f"{camera_id}:{delivery.number}"
