"""The association service: reads tracklets, decides in event time, writes identities.

The watermark over the cameras says up to which moment everything is known. Only then is a moment
decided, so the same input gives the same ids whatever the order of arrival. State, output and
acknowledgement are committed together; what is not decided yet stays unacknowledged and is
delivered again after a restart. Each message counts once, in the order of its camera.
"""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from pipeline.bus.entries import Delivery, Outgoing
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, TRACKLETS
from pipeline.bus.messages import (
    EndMessage,
    ForgetMessage,
    IdentityMessage,
    JoinMessage,
    Message,
    NodeMessage,
    TrackletMessage,
    ViewOfGround,
    WatermarkMessage,
    tracklet_message,
    tracklet_of,
    view_of_message,
)
from pipeline.bus.order import InOrder, Numbers, advance
from pipeline.bus.streams import Bus
from pipeline.privacy.forgotten import Forgotten, Part
from pipeline.service.watch import Watch
from pipeline.silence import Silence
from trackers.association.appearance import Strangers
from trackers.association.association import Decision
from trackers.association.decision import Clarity
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import GROUND, TrackletKey

_POLL_S = 0.05
_META = "meta"
# No name of a track: those have a camera and one colon.
_WAYS = "ways::"


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
    reached: dict[str, float] = {}
    joined: dict[str, float] = {}
    views: dict[str, ViewOfGround] = {}
    nodes: dict[str, bool] = {}
    decided: float = -math.inf
    live: list[str] = []
    forgotten: list[Part] = []


class _Stored(msgspec.Struct):
    """A tracklet as the state keeps it."""

    tracklet: TrackletMessage
    global_id: int | None
    state: str
    clarity: Clarity | None = None


class _Held(NamedTuple):
    """A message that waits for the moment of event time to which it belongs."""

    at: float
    delivery: Delivery


class AssociatorService:
    """Decides on the tracklets of ``camera_ids`` until all of them have ended.

    A camera that joins later is waited for from the moment that is decided on then, which the state
    keeps; it may come back after its end. While a node is open, which may bring more, it goes on.
    Nobody waits for a camera of which nothing comes (see `Silence`); what comes late counts at the
    last moment that was decided.

    ``on_decision(camera_id, track_id, global_id)`` is told about every decision. ``term`` is that
    of our `Lease`; without one nobody else may be at work. Raises FencedError when somebody else
    has taken over.
    """

    def __init__(
        self,
        bus: Bus,
        association: GroundAssociation,
        camera_ids: Iterable[str],
        *,
        on_decision: Callable[[str, int, int], None] = lambda camera_id, track_id, global_id: None,
        term: int | None = None,
        watch: Watch | None = None,
        silence: Silence | None = None,
    ) -> None:
        self._bus = bus
        self._association = association
        self._watermarks = dict.fromkeys(camera_ids, -math.inf)
        self._ended: set[str] = set()
        self._nodes: dict[str, bool] = {}
        # The moment at which each camera joined, by the number of its message.
        self._joined: dict[str, float] = {}
        self._views: dict[str, ViewOfGround] = {}
        self._finished = False
        self._held: list[_Held] = []
        self._on_decision = on_decision
        self._term = term
        self._watch = watch or Watch()
        self._silence = silence or Silence([], math.inf, lambda: 0.0)
        self._decided = -math.inf
        self._forgotten = Forgotten([])
        self._order = InOrder({})
        self._latest: dict[str, float] = {}
        self._reached: dict[str, float] = {}
        # Nothing to decide on: what cannot be used or is about a node, and what came again.
        self._aside: list[_Held] = []
        self._repeated: list[Delivery] = []
        self._taken: Numbers = {}
        self._told = 0
        self._dimension = 0

    def run(self, stop: threading.Event, consumer: str = "1") -> None:
        """Work until every camera has ended, or ``stop`` is set."""
        self._restore()
        self._take(self._bus.claim(ASSOCIATOR, consumer, TRACKLETS))
        while not (self._finished or stop.is_set()):
            self._watch.step("associator")
            self._decide_complete_moments()
            self._forget_who_is_asked_for()
            if self._all_ended():
                self._finish()
                return
            fresh = self._bus.read(ASSOCIATOR, consumer, [TRACKLETS], _POLL_S, term=self._term)
            self._take(fresh)
            if not fresh:
                self._silence.look(self._running())
                stop.wait(_POLL_S)

    def _take(self, deliveries: list[Delivery]) -> None:
        ready, repeated = self._order.take(deliveries)
        self._repeated += repeated
        for delivery in map(self._checked, ready):
            self._silence.heard(delivery.sender)
            match delivery.message:
                case JoinMessage(camera_id=camera_id):
                    self._join(camera_id, delivery)
                case NodeMessage(node=node, open=is_open):
                    self._nodes[node] = is_open
                case WatermarkMessage(camera_id=camera_id) as message:
                    known = self._watermarks.get(camera_id, -math.inf)
                    self._watermarks[camera_id] = max(known, message.timestamp)
                    if message.ended:
                        self._ended.add(camera_id)
            aside = delivery.fault or isinstance(delivery.message, NodeMessage)
            held = _Held(self._moment(delivery), delivery)
            (self._aside if aside else self._held).append(held)

    def _join(self, camera_id: str, delivery: Delivery) -> None:
        """From now on wait for a camera; what it sends comes after all that is complete now.

        That may be decided already, or not, so what counts is the order in the stream. Who starts
        again has read beyond it, and goes by what was noted.
        """
        self._silence.joined(camera_id)
        key = f"{camera_id}:{delivery.number}"
        known = self._watermarks.get(camera_id, -math.inf)
        complete = self._joined.setdefault(key, max(known, self._told_until()))
        self._watermarks[camera_id] = max(known, complete)
        self._ended.discard(camera_id)
        after = math.nextafter(complete, math.inf)
        self._latest[delivery.sender] = max(self._latest.get(delivery.sender, after), after)

    def _told_until(self) -> float:
        """The moment that is complete, and when nobody runs the last that anything was sent for."""
        complete = self._complete_until()
        if complete < math.inf:
            return complete
        return max((*self._watermarks.values(), *self._latest.values()), default=-math.inf)

    def _checked(self, delivery: Delivery) -> Delivery:
        """``delivery`` with a fault when it is nothing to decide on.

        Embeddings of two networks cannot be compared; those of the first message count.
        """
        if delivery.fault or isinstance(
            delivery.message, WatermarkMessage | JoinMessage | NodeMessage
        ):
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
        """When a message is dealt with: not before those that its camera sent before, nor in what
        is decided already.
        """
        at = self._latest.get(delivery.sender, -math.inf)
        match delivery.message:
            case TrackletMessage(at=own) | WatermarkMessage(timestamp=own):
                at = max(at, own, self._decided)
        self._latest[delivery.sender] = at
        return at

    def _all_ended(self) -> bool:
        heard = bool(self._watermarks or self._nodes)
        return heard and not any(self._nodes.values()) and self._watermarks.keys() == self._ended

    def _complete_until(self) -> float:
        """Up to this moment every camera that is waited for has told all it saw."""
        waited_for = self._running() - self._silence.cameras
        return min((self._watermarks[camera_id] for camera_id in waited_for), default=math.inf)

    def _running(self) -> set[str]:
        return self._watermarks.keys() - self._ended

    def _decide_complete_moments(self) -> None:
        complete = self._complete_until()
        ready = sorted((h for h in self._held if h.at <= complete), key=_moment_of)
        self._held = [held for held in self._held if held.at > complete]
        for at, done in groupby(ready, key=_moment_of):
            self._decide(at, [held.delivery for held in done])

    def _decide(self, at: float, done: list[Delivery]) -> None:
        self._observe(at, done)
        self._note_moment(at, done)
        decisions = self._association.decide(at)
        forgotten = self._association.forget(at)
        self._commit(at, done, decisions, forgotten=forgotten)

    def _finish(self) -> None:
        at = max(self._watermarks.values(), default=0.0)
        self._finished = True
        self._commit(at, [], self._association.finish(), output=[EndMessage(at)])

    def _observe(self, at: float, done: list[Delivery]) -> None:
        """Give the tracklets of a moment to the association, in an order of their own."""
        for delivery in done:
            if isinstance(delivery.message, JoinMessage):
                self._see(delivery.message)
        # Of what comes later than that, people and tracks are forgotten.
        oldest = at - self._association.rules.gallery_s
        tracklets = [d.message for d in done if isinstance(d.message, TrackletMessage)]
        left = [self._forgotten.tracklet(message) for message in tracklets]
        messages = [message for message in left if message and message.at >= oldest]
        for message in sorted(messages, key=lambda m: (m.camera_id, m.track_id, m.revision)):
            self._association.observe(tracklet_of(message))

    def _forget_who_is_asked_for(self) -> None:
        """Drop people who are to be forgotten, up to the last moment that any camera told of."""
        for global_id in self._bus.asked_to_forget():
            at = max((m for m in self._watermarks.values() if math.isfinite(m)), default=0.0)
            gone = self._association.remove(global_id)
            tracks = [key for key in gone if key[0] != GROUND]
            self._forgotten.clear(at)
            before = math.nextafter(at, math.inf)
            self._forgotten.add(Part(*key, before=before) for key in tracks)
            said = ForgetMessage(global_id, at, tracks)
            self._commit(self._decided, [], [], output=[said], forgotten=gone, taken_up=[global_id])

    def _see(self, joining: JoinMessage) -> None:
        if joining.view is not None:
            self._views[joining.camera_id] = joining.view
            self._association.see_ground(joining.camera_id, view_of_message(joining.view))

    def _commit(
        self,
        at: float,
        done: list[Delivery],
        decisions: list[Decision],
        *,
        output: Iterable[Message] = (),
        forgotten: Iterable[TrackletKey] = (),
        taken_up: Sequence[int] = (),
    ) -> None:
        said = [*(_identity(decision, at) for decision in decisions), *output]
        done = [*done, *(held.delivery for held in self._aside if held.at <= at)]
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
            taken_up=taken_up,
            term=self._term,
        )
        self._told += len(said)
        self._aside = [held for held in self._aside if held.at > at]
        self._repeated = []
        self._watch.decided(at, changed, decisions)
        for decision in decisions:
            self._on_decision(*decision.key, decision.global_id)

    def _note_moment(self, at: float, done: list[Delivery]) -> None:
        """A camera goes on after the last moment that was decided of it, also after a restart."""
        self._decided = max(self._decided, at)
        for delivery in done:
            if delivery.sender:
                self._reached[delivery.sender] = at
            if isinstance(delivery.message, JoinMessage):
                self._joined.pop(f"{delivery.message.camera_id}:{delivery.number}", None)

    def _state(self, keys: Iterable[TrackletKey], at: float, told: int) -> dict[str, bytes]:
        state: dict[str, bytes] = {}
        for key in {*keys, *self._association.take_changed()}:
            tracklet = self._association.tracklet(key)
            if tracklet is not None:
                owner, standing = self._association.owner(key), self._association.state(key)
                clarity = self._association.clarity(key)
                stored = _Stored(tracklet_message(tracklet, at), owner, standing, clarity)
                state[_field(key)] = msgspec.msgpack.encode(stored)
        for camera_id, memory in self._association.ways.take_changed().items():
            state[f"{_WAYS}{camera_id}"] = msgspec.msgpack.encode(memory)
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
            self._reached,
            self._joined,
            self._views,
            self._nodes,
            self._decided,
            self._silence.live(),
            self._forgotten.parts,
        )
        state[_META] = msgspec.msgpack.encode(meta)
        return state

    def _restore(self) -> None:
        state = self._bus.state()
        if _META not in state:
            return
        meta = msgspec.msgpack.decode(state.pop(_META), type=_Meta)
        # Who takes part is what was decided with, whatever the configuration says now.
        self._watermarks, self._ended = meta.watermarks, set(meta.ended)
        self._reached, self._joined = meta.reached, meta.joined
        self._latest, self._nodes = dict(meta.reached), meta.nodes
        self._views, self._decided = meta.views, meta.decided
        for camera_id in meta.live:
            self._silence.joined(camera_id)
        self._forgotten = Forgotten(meta.forgotten)
        for camera_id, view in meta.views.items():
            self._association.see_ground(camera_id, view_of_message(view))
        self._finished = meta.finished
        self._taken, self._told, self._dimension = meta.taken, meta.told, meta.dimension
        self._order = InOrder(meta.taken)
        self._association.remember(msgspec.msgpack.decode(meta.ground))
        for name in sorted(name for name in state if name.startswith(_WAYS)):
            learnt = msgspec.msgpack.decode(state.pop(name))
            self._association.ways.remember(name.removeprefix(_WAYS), learnt)
        for _, data in sorted(state.items()):
            stored = msgspec.msgpack.decode(data, type=_Stored)
            tracklet = tracklet_of(stored.tracklet)
            self._association.restore(tracklet, stored.global_id, stored.state, stored.clarity)
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
        state=decision.state,
    )


def _field(key: TrackletKey) -> str:
    return f"{key[0]}:{key[1]}"


def progress_of(bus: Bus) -> int:
    """How many messages were decided on in the present run of the site of ``bus``."""
    stored = bus.state().get(_META)
    if stored is None:
        return 0
    return sum(msgspec.msgpack.decode(stored, type=_Meta).taken.values())
