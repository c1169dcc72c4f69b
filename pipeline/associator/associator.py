"""The association service: reads tracklets, decides in event time, writes identities.

The watermark over the cameras says up to which moment everything is known. Only then is a moment
decided, so the same input gives the same ids whatever the order of arrival. State, output and
acknowledgement are committed together; what is not decided yet stays unacknowledged and is
delivered again after a restart. Each message counts once, in the order of its camera.
"""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import NamedTuple

import msgspec

from pipeline.associator import checkpoint
from pipeline.associator.correcting import decisions_of, make
from pipeline.associator.watermarks import Silence, Watermarks
from pipeline.bus import correcting, forgetting
from pipeline.bus.entries import Delivery, Outgoing
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, TRACKLETS
from pipeline.bus.messages import (
    CorrectionMessage,
    CorrectMessage,
    EndMessage,
    ForgetMessage,
    IdentityMessage,
    JoinMessage,
    Message,
    NodeMessage,
    TrackletMessage,
    WatermarkMessage,
    tracklet_message,
    tracklet_of,
    view_of_message,
)
from pipeline.bus.order import Resequencer, advance
from pipeline.bus.revisions import is_missing, joined
from pipeline.bus.streams import Bus
from pipeline.monitoring.watch import Watch
from pipeline.recorder.forgotten import ForgottenParts
from pipeline.run_directory.schema import TrackPart
from trackers.association.association import Decision
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import GROUND, Tracklet, TrackletKey

_POLL_S = 0.05

_log = logging.getLogger(__name__)


class _Held(NamedTuple):
    """A message that waits for the moment of event time to which it belongs."""

    at: float
    delivery: Delivery


class AssociatorService:
    """Decides on the tracklets of ``camera_ids``, and of those that join, until all have ended.

    A silent camera is not waited for (see `Silence`); its late messages count at the last moment
    that was decided.

    ``on_decision`` is called with every decision. ``term`` is that of the lease, which ``renew``
    renews at each step, and ``keep`` during the last one; without a term no other associator may
    run. Raises FencedError when another associator has taken over.
    """

    def __init__(
        self,
        bus: Bus,
        association: GroundAssociation,
        camera_ids: Iterable[str],
        *,
        on_decision: Callable[[Decision], None] = lambda decision: None,
        term: int | None = None,
        watch: Watch | None = None,
        silence: Silence | None = None,
        renew: Callable[[], None] = lambda: None,
        keep: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._bus = bus
        self._renew = renew
        self._keep = keep
        self._association = association
        self._watermarks = Watermarks(camera_ids, silence or Silence([], math.inf, lambda: 0.0))
        self._meta = checkpoint.Meta(self._watermarks.state())
        self._forgotten = ForgottenParts([])
        self._checkpoint = checkpoint.Checkpoint()
        # Tracks of which something was lost on the way, until they are forgotten.
        self._incomplete: set[TrackletKey] = set()
        self._resequencer = Resequencer({})
        self._on_decision = on_decision
        self._term = term
        self._watch = watch or Watch()
        self._held: list[_Held] = []
        # Messages without a decision: faulty ones, those about nodes, and repeated ones.
        self._aside: list[_Held] = []
        self._repeated: list[Delivery] = []

    def run(self, stop: threading.Event, consumer: str = "1") -> None:
        """Work until every camera has ended, or ``stop`` is set."""
        self._restore()
        self._take(self._bus.claim(ASSOCIATOR, consumer, TRACKLETS))
        while not (self._meta.finished or stop.is_set()):
            self._watch.step("associator")
            self._renew()
            self._decide_complete_moments()
            self._forget_requested()
            if self._watermarks.all_ended():
                self._finish()
                return
            fresh = self._bus.read(ASSOCIATOR, consumer, [TRACKLETS], _POLL_S, term=self._term)
            self._take(fresh)
            if not fresh:
                self._watermarks.update()
                stop.wait(_POLL_S)

    def _take(self, deliveries: list[Delivery]) -> None:
        ready, repeated = self._resequencer.accept(deliveries)
        self._repeated += repeated
        for delivery in map(self._checked, ready):
            held = _Held(self._watermarks.receive(delivery), delivery)
            aside = delivery.fault or isinstance(delivery.message, NodeMessage)
            (self._aside if aside else self._held).append(held)

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
        _, dimension = delivery.message.exemplars.shape
        if not dimension:
            return delivery
        self._meta.dimension = self._meta.dimension or dimension
        if dimension == self._meta.dimension:
            return delivery
        return delivery.faulty(
            f"expected embeddings of {self._meta.dimension} numbers like the first, got {dimension}"
        )

    def _decide_complete_moments(self) -> None:
        complete = self._watermarks.complete_until()
        ready = sorted((h for h in self._held if h.at <= complete), key=_moment_of)
        self._held = [held for held in self._held if held.at > complete]
        requests = deque(correcting.requested(self._bus))
        for at, done in groupby(ready, key=_moment_of):
            while requests and _is_due(requests[0][1], before=at):
                self._correct(*requests.popleft())
            self._decide(at, [held.delivery for held in done])
        decided = self._watermarks.decided
        while requests and (requests[0][1].after is None or requests[0][1].after <= decided):
            self._correct(*requests.popleft())

    def _correct(self, entry_id: str, request: CorrectMessage) -> None:
        at = self._watermarks.decided
        reply = make(request, self._association, self._meta, at)
        made = reply.correction
        self._commit(
            at,
            [],
            [] if made is None else decisions_of(made),
            output=[] if made is None else [CorrectionMessage(made)],
            corrected=(entry_id, msgspec.json.encode(reply)),
        )

    def _decide(self, at: float, done: list[Delivery]) -> None:
        self._observe(at, done)
        self._watermarks.note_decided(at, done)
        decisions = self._association.decide(at)
        forgotten = self._association.forget(at)
        self._commit(at, done, decisions, forgotten=forgotten)

    def _finish(self) -> None:
        at = self._watermarks.last_watermark(default=0.0)
        self._meta.finished = True
        # All is decided once more, which takes longer than the lease lasts: one that stands by
        # would take over again and again, and none would come to an end.
        with self._keep():
            decisions = self._association.finish()
        self._commit(at, [], decisions, output=[EndMessage(at)])

    def _observe(self, at: float, done: list[Delivery]) -> None:
        """Pass the tracklets of a moment to the association, ordered by camera and track."""
        for delivery in done:
            if isinstance(delivery.message, JoinMessage):
                self._set_view(delivery.message)
        # People and tracks older than this are forgotten.
        oldest = at - self._association.rules.gallery_s
        tracklets = [d.message for d in done if isinstance(d.message, TrackletMessage)]
        messages = [message for message in tracklets if message.at >= oldest]
        for message in sorted(messages, key=lambda m: (m.camera_id, m.track_id, m.revision)):
            tracklet = self._joined(message)
            if tracklet is not None:
                self._association.observe(tracklet)

    def _joined(self, message: TrackletMessage) -> Tracklet | None:
        """The tracklet of a message without its forgotten parts; None when nothing is left."""
        key = message.camera_id, message.track_id
        tracklet = joined(message, self._association.tracklet(key))
        if self._forgotten.concerns(key):
            left = self._forgotten.filter_tracklet(tracklet_message(tracklet, message.at))
            return None if left is None else tracklet_of(left)
        if is_missing(message, tracklet) and key not in self._incomplete:
            self._incomplete.add(key)
            _log.warning(
                "camera %s, track %d: what was sent of it before is missing; going on without it "
                "until it is sent again",
                *key,
            )
        return tracklet

    def _set_view(self, joining: JoinMessage) -> None:
        if joining.view is not None:
            self._meta.views[joining.camera_id] = joining.view
            self._association.set_view(joining.camera_id, view_of_message(joining.view))

    def _forget_requested(self) -> None:
        """Drop people who are to be forgotten, up to the last watermark of any camera."""
        for global_id in forgetting.requested(self._bus):
            at = self._watermarks.last_watermark(default=0.0)
            gone = self._association.remove(global_id)
            tracks = [key for key in gone if key[0] != GROUND]
            self._forgotten.expire(at)
            before = math.nextafter(at, math.inf)
            self._forgotten.add(TrackPart(*key, before=before) for key in tracks)
            self._commit(
                self._watermarks.decided,
                [],
                [],
                output=[ForgetMessage(global_id, at, tracks)],
                forgotten=gone,
                forgotten_ids=[global_id],
            )

    def _commit(
        self,
        at: float,
        done: list[Delivery],
        decisions: list[Decision],
        *,
        output: Iterable[Message] = (),
        forgotten: Collection[TrackletKey] = (),
        forgotten_ids: Sequence[int] = (),
        corrected: tuple[str, bytes] | None = None,
    ) -> None:
        self._renew()
        messages = [*(_identity(decision, at) for decision in decisions), *output]
        done = [*done, *(held.delivery for held in self._aside if held.at <= at)]
        advance(self._meta.taken, done)
        tracklets = [d.message for d in done if isinstance(d.message, TrackletMessage)]
        changed = {(m.camera_id, m.track_id) for m in tracklets} | {d.key for d in decisions}
        sent = self._meta.sent
        self._meta.sent += len(messages)
        state = self._state(changed, forgotten)
        self._bus.commit(
            ASSOCIATOR,
            [*done, *self._repeated],
            output=[
                Outgoing(IDENTITIES, ASSOCIATOR, sent + number, message)
                for number, message in enumerate(messages, start=1)
            ],
            state=state.fields,
            forget=state.gone,
            forgotten_ids=forgotten_ids,
            corrected=corrected,
            term=self._term,
        )
        self._aside = [held for held in self._aside if held.at > at]
        self._repeated = []
        self._incomplete.difference_update(forgotten)
        self._watch.count_decisions(at, tracklets, decisions)
        for decision in decisions:
            self._on_decision(decision)

    def _state(
        self, changed: Iterable[TrackletKey], forgotten: Iterable[TrackletKey]
    ) -> checkpoint.Written:
        self._meta.watermarks = self._watermarks.state()
        self._meta.forgotten = self._forgotten.parts
        return self._checkpoint.written(self._meta, self._association, changed, forgotten)

    def _restore(self) -> None:
        fields = self._bus.state()
        meta = checkpoint.decoded(fields)
        if meta is None:
            return
        self._meta = meta
        # The cameras are those of the stored decisions, not those of the configuration now.
        self._watermarks.restore(meta.watermarks)
        self._forgotten = ForgottenParts(meta.forgotten)
        self._resequencer = Resequencer(meta.taken)
        for camera_id, view in meta.views.items():
            self._association.set_view(camera_id, view_of_message(view))
        self._checkpoint.restore(self._association, fields)


def _is_due(request: CorrectMessage, *, before: float) -> bool:
    """Whether a correction must take effect before this moment is decided."""
    return request.after is not None and request.after < before


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
        runners_up=list(decision.runners_up),
    )
