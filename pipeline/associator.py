"""The association service: reads tracklets, decides in event time, writes identities.

The watermark over the cameras says up to which moment everything is known. Only then is a moment
decided, so the same input gives the same ids whatever the order of arrival. State, output and
acknowledgement are committed together; what is not decided yet stays unacknowledged and is
delivered again after a restart. Each message counts once, in the order of its camera.
"""

import threading
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import NamedTuple

import msgspec

from pipeline.bus.entries import Delivery, Outgoing
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
from pipeline.bus.order import InOrder, Numbers, advance
from pipeline.bus.streams import Bus
from trackers.association.appearance import Strangers
from trackers.association.association import Association, Decision
from trackers.tracklet import TrackletKey

_POLL_S = 0.05
_META = "meta"


class _Meta(msgspec.Struct):
    """The part of the state that is not a tracklet."""

    next_global_id: int
    watermarks: dict[str, float]
    ended: list[str]
    strangers: Strangers
    has_looks: bool
    finished: bool
    taken: Numbers
    told: int
    dimension: int
    ground: bytes


class _Stored(msgspec.Struct):
    """A tracklet as the state keeps it."""

    tracklet: TrackletMessage
    global_id: int | None


class _Held(NamedTuple):
    """A message that waits for the moment of event time to which it belongs."""

    at: float
    delivery: Delivery


class AssociatorService:
    """Decides on the tracklets of ``camera_ids`` until all of them have ended.

    ``on_decision(camera_id, track_id, global_id)`` is told about every decision. ``term`` is that
    of our `Lease`; without one nobody else may be at work. Raises FencedError when somebody else
    has taken over.
    """

    def __init__(
        self,
        bus: Bus,
        association: Association,
        camera_ids: Iterable[str],
        *,
        on_decision: Callable[[str, int, int], None] = lambda camera_id, track_id, global_id: None,
        term: int | None = None,
    ) -> None:
        self._bus = bus
        self._association = association
        self._watermarks = dict.fromkeys(camera_ids, float("-inf"))
        self._ended: set[str] = set()
        self._finished = False
        self._held: list[_Held] = []
        self._on_decision = on_decision
        self._term = term
        self._order = InOrder({})
        self._latest: dict[str, float] = {}
        # Nothing to decide on: what cannot be used, and what came again.
        self._faulty: list[_Held] = []
        self._repeated: list[Delivery] = []
        self._taken: Numbers = {}
        self._told = 0
        self._dimension = 0

    def run(self, stop: threading.Event, consumer: str = "1") -> None:
        """Work until every camera has ended, or ``stop`` is set."""
        self._restore()
        self._take(self._bus.claim(ASSOCIATOR, consumer, TRACKLETS))
        while not (self._finished or stop.is_set()):
            self._decide_complete_moments()
            if self._all_ended():
                self._finish()
                return
            fresh = self._bus.read(ASSOCIATOR, consumer, [TRACKLETS], _POLL_S, term=self._term)
            self._take(fresh)
            if not fresh:
                stop.wait(_POLL_S)

    def _take(self, deliveries: list[Delivery]) -> None:
        ready, repeated = self._order.take(deliveries)
        self._repeated += repeated
        for delivery in map(self._checked, ready):
            held = _Held(self._moment(delivery), delivery)
            (self._faulty if delivery.fault else self._held).append(held)
            message = delivery.message
            if isinstance(message, WatermarkMessage):
                known = self._watermarks.get(message.camera_id, float("-inf"))
                self._watermarks[message.camera_id] = max(known, message.timestamp)
                if message.ended:
                    self._ended.add(message.camera_id)

    def _checked(self, delivery: Delivery) -> Delivery:
        """``delivery`` with a fault when it is nothing to decide on.

        Embeddings of two networks cannot be compared; those of the first message count.
        """
        if delivery.fault or isinstance(delivery.message, WatermarkMessage):
            return delivery
        if not isinstance(delivery.message, TrackletMessage):
            return delivery.faulty("expected a tracklet or a watermark")
        exemplars, dimension = delivery.message.exemplars.shape
        if not exemplars:
            return delivery
        self._dimension = self._dimension or dimension
        if dimension == self._dimension:
            return delivery
        return delivery.faulty(
            f"expected embeddings of {self._dimension} numbers like the first, got {dimension}"
        )

    def _moment(self, delivery: Delivery) -> float:
        """When a message is dealt with: never before those that its camera sent before."""
        at = self._latest.get(delivery.sender, float("-inf"))
        match delivery.message:
            case TrackletMessage(at=own) | WatermarkMessage(timestamp=own):
                at = max(at, own)
        self._latest[delivery.sender] = at
        return at

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
        ready = sorted((h for h in self._held if h.at <= complete), key=_moment_of)
        self._held = [held for held in self._held if held.at > complete]
        for at, done in groupby(ready, key=_moment_of):
            self._decide(at, [held.delivery for held in done])

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
        said = [*(_identity(decision, at) for decision in decisions), *output]
        done = [*done, *(held.delivery for held in self._faulty if held.at <= at)]
        advance(self._taken, done)
        changed = [d.message for d in done if isinstance(d.message, TrackletMessage)]
        keys = {(m.camera_id, m.track_id) for m in changed} | {d.key for d in decisions}
        self._bus.commit(
            ASSOCIATOR,
            [*done, *self._repeated],
            output=[
                Outgoing(IDENTITIES, ASSOCIATOR, self._told + number, message)
                for number, message in enumerate(said, start=1)
            ],
            state=self._state(keys, at, self._told + len(said)),
            forget=[_field(key) for key in forgotten],
            term=self._term,
        )
        self._told += len(said)
        self._faulty = [held for held in self._faulty if held.at > at]
        self._repeated = []
        for decision in decisions:
            self._on_decision(*decision.key, decision.global_id)

    def _state(self, keys: Iterable[TrackletKey], at: float, told: int) -> dict[str, bytes]:
        state: dict[str, bytes] = {}
        for key in {*keys, *self._association.take_changed()}:
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
            self._taken,
            told,
            self._dimension,
            msgspec.msgpack.encode(self._association.memory()),
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
        self._taken, self._told, self._dimension = meta.taken, meta.told, meta.dimension
        self._order = InOrder(meta.taken)
        self._association.remember(msgspec.msgpack.decode(meta.ground))
        for _, data in sorted(state.items()):
            stored = msgspec.msgpack.decode(data, type=_Stored)
            self._association.restore(tracklet_of(stored.tracklet), stored.global_id)
        self._association.next_global_id = meta.next_global_id
        self._association.strangers = meta.strangers
        self._association.has_looks = meta.has_looks


def _moment_of(held: _Held) -> float:
    return held.at


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
        since=decision.since,
    )


def _field(key: TrackletKey) -> str:
    return f"{key[0]}:{key[1]}"


def progress_of(bus: Bus) -> int:
    """How many messages were decided on in the present run of the site of ``bus``."""
    stored = bus.state().get(_META)
    if stored is None:
        return 0
    return sum(msgspec.msgpack.decode(stored, type=_Meta).taken.values())
