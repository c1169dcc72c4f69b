"""The association service: reads tracklets, decides in event time, writes identities.

The watermark over the cameras says up to which moment everything is known. Only then is a moment
decided, so the same input gives the same ids whatever the order of arrival. State, output and
acknowledgement are committed together; what is not decided yet stays unacknowledged and is
delivered again after a restart.
"""

import threading
from collections.abc import Callable, Iterable
from itertools import groupby

import msgspec

from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, TRACKLETS
from pipeline.bus.messages import (
    EndMessage,
    IdentityMessage,
    Message,
    TrackletMessage,
    WatermarkMessage,
    tracklet_message,
    tracklet_of,
)
from pipeline.bus.streams import Bus, Delivery
from trackers.association.appearance import Strangers
from trackers.association.association import Association, Decision
from trackers.tracklet import TrackletKey

_BLOCK_S = 0.2
_META = "meta"


class _Meta(msgspec.Struct):
    """The part of the state that is not a tracklet."""

    next_global_id: int
    watermarks: dict[str, float]
    ended: list[str]
    strangers: Strangers
    has_looks: bool
    finished: bool


class _Stored(msgspec.Struct):
    """A tracklet as the state keeps it."""

    tracklet: TrackletMessage
    global_id: int | None


class AssociatorService:
    """Decides on the tracklets of ``camera_ids`` until all of them have ended.

    ``on_decision(camera_id, track_id, global_id)`` is told about every decision.
    """

    def __init__(
        self,
        bus: Bus,
        association: Association,
        camera_ids: Iterable[str],
        *,
        on_decision: Callable[[str, int, int], None] = lambda camera_id, track_id, global_id: None,
    ) -> None:
        self._bus = bus
        self._association = association
        self._watermarks = dict.fromkeys(camera_ids, float("-inf"))
        self._ended: set[str] = set()
        self._finished = False
        self._held: list[Delivery] = []
        self._on_decision = on_decision

    def run(self, stop: threading.Event, consumer: str = "1") -> None:
        """Work until every camera has ended, or ``stop`` is set."""
        self._restore()
        self._take(self._bus.claim(ASSOCIATOR, consumer, TRACKLETS))
        while not (self._finished or stop.is_set()):
            self._decide_complete_moments()
            if self._all_ended():
                self._finish()
                return
            self._take(self._bus.read(ASSOCIATOR, consumer, [TRACKLETS], _BLOCK_S))

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._held.append(delivery)
            message = delivery.message
            if isinstance(message, WatermarkMessage):
                known = self._watermarks.get(message.camera_id, float("-inf"))
                self._watermarks[message.camera_id] = max(known, message.timestamp)
                if message.ended:
                    self._ended.add(message.camera_id)

    def _all_ended(self) -> bool:
        return self._watermarks.keys() == self._ended

    def _complete_until(self) -> float:
        """Up to this moment every camera has told all it saw."""
        running = [
            mark for camera_id, mark in self._watermarks.items() if camera_id not in self._ended
        ]
        return min(running, default=float("inf"))

    def _decide_complete_moments(self) -> None:
        complete = self._complete_until()
        ready = sorted((d for d in self._held if _moment(d) <= complete), key=_moment)
        self._held = [d for d in self._held if _moment(d) > complete]
        for at, done in groupby(ready, key=_moment):
            self._decide(at, list(done))

    def _decide(self, at: float, done: list[Delivery]) -> None:
        self._observe(done)
        decisions = self._association.decide(at)
        forgotten = self._association.forget(at)
        self._commit(at, done, decisions, forgotten=forgotten)

    def _finish(self) -> None:
        at = max(self._watermarks.values())
        self._finished = True
        self._commit(at, [], self._association.finish(), output=[EndMessage(at)])

    def _observe(self, done: list[Delivery]) -> None:
        """Give the tracklets of a moment to the association, in an order of their own."""
        messages = [d.message for d in done if isinstance(d.message, TrackletMessage)]
        for message in sorted(messages, key=lambda m: (m.camera_id, m.track_id, m.revision)):
            self._association.observe(tracklet_of(message))

    def _commit(
        self,
        at: float,
        done: list[Delivery],
        decisions: list[Decision],
        *,
        output: Iterable[Message] = (),
        forgotten: Iterable[TrackletKey] = (),
    ) -> None:
        identities = [_identity(decision, at) for decision in decisions]
        changed = [d.message for d in done if isinstance(d.message, TrackletMessage)]
        keys = {(m.camera_id, m.track_id) for m in changed} | {d.key for d in decisions}
        self._bus.commit(
            ASSOCIATOR,
            done,
            output=[(IDENTITIES, message) for message in (*identities, *output)],
            state=self._state(keys, at),
            forget=[_field(key) for key in forgotten],
        )
        for decision in decisions:
            self._on_decision(*decision.key, decision.global_id)

    def _state(self, keys: Iterable[TrackletKey], at: float) -> dict[str, bytes]:
        state: dict[str, bytes] = {}
        for key in keys:
            tracklet = self._association.tracklet(key)
            if tracklet is not None:
                stored = _Stored(tracklet_message(tracklet, at), self._association.owner(key))
                state[_field(key)] = msgspec.msgpack.encode(stored)
        meta = _Meta(
            self._association.next_global_id,
            self._watermarks,
            sorted(self._ended),
            self._association.strangers,
            self._association.has_looks,
            self._finished,
        )
        state[_META] = msgspec.msgpack.encode(meta)
        return state

    def _restore(self) -> None:
        state = self._bus.state()
        if _META not in state:
            return
        meta = msgspec.msgpack.decode(state.pop(_META), type=_Meta)
        self._watermarks.update(meta.watermarks)
        self._ended.update(meta.ended)
        self._finished = meta.finished
        for _, data in sorted(state.items()):
            stored = msgspec.msgpack.decode(data, type=_Stored)
            self._association.restore(tracklet_of(stored.tracklet), stored.global_id)
        self._association.next_global_id = meta.next_global_id
        self._association.strangers = meta.strangers
        self._association.has_looks = meta.has_looks


def _moment(delivery: Delivery) -> float:
    match delivery.message:
        case TrackletMessage(at=at) | WatermarkMessage(timestamp=at):
            return at
        case _:
            return float("-inf")


def _identity(decision: Decision, at: float) -> IdentityMessage:
    camera_id, track_id = decision.key
    return IdentityMessage(
        camera_id=camera_id,
        track_id=track_id,
        global_id=decision.global_id,
        confidence=decision.confidence,
        kind=decision.kind,
        reason=decision.reason,
        at=at,
    )


def _field(key: TrackletKey) -> str:
    return f"{key[0]}:{key[1]}"
