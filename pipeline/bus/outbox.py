"""What one camera sends: each batch once, whatever happens to its node or to Redis.

With each batch Redis remembers how far the camera is, in the same transaction. A recording is
played again from its start by a node that starts again, which is exact because it is
deterministic; what was sent before is not sent again. A live camera goes on with new track ids.
"""

from collections.abc import Iterable

import msgspec

from pipeline.bus.entries import Outgoing
from pipeline.bus.messages import Message, TrackletMessage
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.run_directory.schema import CameraRecord


class Sent(msgspec.Struct, frozen=True):
    """How far a camera is: batches, messages on each stream, and whether it has ended.

    ``node`` counts the nodes that a live camera had. The next of them goes on after ``frames``
    frames, those that were ``dropped``, ``frame_index`` and ``track_id``, ends the tracks in
    ``open``, and sends nothing that belongs to ``at`` or before; ``start`` is the first timestamp,
    seconds UTC, and ``record`` what was last told of the camera. ``cameras`` are those of a
    node that may bring more, each with its ``node``.
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

    ``known`` is what had been sent when it was opened. A live camera goes on from there; any other
    gives everything once more, from its first batch on.
    """

    def __init__(self, bus: Bus, camera_id: str, *, live: bool) -> None:
        self._bus = bus
        self._camera_id = camera_id
        self._live = live
        self._stored = bus.sent(camera_id)
        if live:
            self._take_over()
        self.known = _sent(self._stored)
        self._now = self.known if live else Sent()

    def _take_over(self) -> None:
        """From now on nobody but us sends for this camera."""
        while True:
            known = _sent(self._stored)
            ours = msgspec.msgpack.encode(msgspec.structs.replace(known, node=known.node + 1))
            if self._bus.publish(self._camera_id, [], self._stored, ours):
                self._stored = ours
                return
            self._stored = self._bus.sent(self._camera_id)

    def send(self, messages: Iterable[tuple[str, Message]], **memory: object) -> None:
        """Send a batch of messages, each with its stream; may be called again after an error.

        ``memory`` are fields of `Sent` that change with it. Raises UserError when Redis forgot
        what was sent, or another node follows the same camera.
        """
        numbers = dict(self._now.numbers)
        batch: list[Outgoing] = []
        for stream, message in messages:
            numbers[stream] = numbers.get(stream, 0) + 1
            batch.append(Outgoing(stream, self._camera_id, numbers[stream], message))
        after = msgspec.structs.replace(
            self._now, batches=self._now.batches + 1, numbers=numbers, **memory
        )
        self._publish(batch, after)
        self._now = after

    def _publish(self, batch: list[Outgoing], after: Sent) -> None:
        data = msgspec.msgpack.encode(after)
        while not self._is_sent(_sent(self._stored), after):
            if self._bus.publish(self._camera_id, batch, self._stored, data):
                self._stored = data
                return
            # Sent before, and the answer was lost; or by somebody else.
            self._stored = self._bus.sent(self._camera_id)

    def _is_sent(self, before: Sent, after: Sent) -> bool:
        if before.node > after.node:
            raise UserError(
                f"camera {self._camera_id} is followed by another node now. Expected one node a "
                "camera; this one stops"
            )
        if before.batches == after.batches and before.numbers != after.numbers:
            raise UserError(
                f"camera {self._camera_id} shows something else than before the node was started "
                "again. Expected the same recording and settings; start a new run for new ones"
            )
        # A live camera may come back after its end.
        if before.batches >= after.batches or (before.ended and not self._live):
            return True
        if before.batches < after.batches - 1:
            raise UserError(
                f"Redis at {self._bus.place} forgot what camera {self._camera_id} sent. Expected "
                "one with `appendonly yes` and `appendfsync always`; start the run again"
            )
        return False


def sent_by(bus: Bus, camera_id: str) -> Sent:
    """How far a camera is now."""
    return _sent(bus.sent(camera_id))


def _sent(stored: bytes | None) -> Sent:
    return Sent() if stored is None else msgspec.msgpack.decode(stored, type=Sent)
