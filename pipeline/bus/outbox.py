"""Sends the messages of one camera exactly once, across restarts of its node or of Redis.

Each batch and the camera's progress are stored in one transaction. A restarted node replays a
recording from its start, which gives the same messages because processing is deterministic, and
skips the batches already sent. A live camera continues with new track ids.
"""

from collections.abc import Iterable, Mapping

import msgspec

from pipeline.bus.entries import Outgoing
from pipeline.bus.messages import Message, TrackletMessage
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.run_directory.schema import CameraRecord


class SentState(msgspec.Struct, frozen=True):
    """Sending progress of a camera: batches, messages on each stream, and whether it has ended.

    ``node`` counts the nodes that have run a live camera. The next node continues after ``frames``
    frames, ``dropped`` frames, ``frame_index`` and ``track_id``, closes the tracks in ``open``,
    whose vectors are stored beside this state, and sends nothing at or before event time ``at``.
    ``start`` is the first timestamp, seconds UTC, and ``record`` the last camera state sent.
    ``cameras`` are the cameras of a node that may add more, each with its ``node``.
    """

    batches: int = 0
    numbers: dict[str, int] = {}
    ended: bool = False
    node: int = 0
    frames: int = 0
    dropped: int = 0
    frame_index: int = -1
    track_id: int = 0
    start: float | None = None
    at: float = 0.0
    open: list[TrackletMessage] = []
    record: CameraRecord | None = None
    cameras: dict[str, int] = {}


class Outbox:
    """Sends the batches of one camera in order.

    ``known`` is the progress at the time of opening, and ``crops`` are the vectors of the open
    tracks in it, as they were sent. A live camera continues from there; a recording passes in all
    batches again from the first.
    """

    def __init__(self, bus: Bus, camera_id: str, *, live: bool) -> None:
        self._bus = bus
        self._camera_id = camera_id
        self._live = live
        self._stored = bus.last_sent(camera_id)
        if live:
            self._take_over()
        self.known = _sent(self._stored)
        self.crops = bus.crops(camera_id) if self.known.open else {}
        self._now = self.known if live else SentState()

    def _take_over(self) -> None:
        """Claim the camera: messages of earlier nodes are refused from now on."""
        while True:
            known = _sent(self._stored)
            ours = msgspec.msgpack.encode(msgspec.structs.replace(known, node=known.node + 1))
            if self._bus.publish(self._camera_id, [], self._stored, ours):
                self._stored = ours
                return
            self._stored = self._bus.last_sent(self._camera_id)

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        *,
        crops: Mapping[str, bytes | None] | None = None,
        **progress: object,
    ) -> None:
        """Send a batch of messages, each with its stream; may be repeated after an error.

        ``progress`` are fields of `SentState` to store with it, ``crops`` those of the open tracks
        that are new, or None where they are not needed any more. Raises UserError when Redis lost
        earlier progress, another node runs the same camera, or a recording has changed.
        """
        numbers = dict(self._now.numbers)
        batch: list[Outgoing] = []
        for stream, message in messages:
            numbers[stream] = numbers.get(stream, 0) + 1
            batch.append(Outgoing(stream, self._camera_id, numbers[stream], message))
        after = msgspec.structs.replace(
            self._now, batches=self._now.batches + 1, numbers=numbers, **progress
        )
        self._publish(batch, after, crops or {})
        self._now = after

    def _publish(
        self, batch: list[Outgoing], after: SentState, crops: Mapping[str, bytes | None]
    ) -> None:
        data = msgspec.msgpack.encode(after)
        while not self._is_sent(_sent(self._stored), after):
            if self._bus.publish(self._camera_id, batch, self._stored, data, crops):
                self._stored = data
                return
            # Already sent with the reply lost, or sent by another node.
            self._stored = self._bus.last_sent(self._camera_id)

    def _is_sent(self, before: SentState, after: SentState) -> bool:
        if before.node > after.node:
            raise UserError(
                f"camera {self._camera_id} is now run by another node. Expected one node per "
                "camera; this node stops"
            )
        if before.batches == after.batches and before.numbers != after.numbers:
            raise UserError(
                f"camera {self._camera_id} differs from before the node was restarted. Expected "
                "the same recording and settings; start a new run for new ones"
            )
        # A live camera may return after its end.
        if before.batches >= after.batches or (before.ended and not self._live):
            return True
        if before.batches < after.batches - 1:
            raise UserError(
                f"Redis at {self._bus.address} lost messages of camera {self._camera_id}. Expected "
                "`appendonly yes` and `appendfsync always`; start the run again"
            )
        return False


def sent_state(bus: Bus, camera_id: str) -> SentState:
    """The current sending progress of a camera."""
    return _sent(bus.last_sent(camera_id))


def _sent(stored: bytes | None) -> SentState:
    return SentState() if stored is None else msgspec.msgpack.decode(stored, type=SentState)
