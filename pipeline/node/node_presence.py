"""That a node is at work which may bring cameras at any time, and which of them are its own."""

import math
import time
from collections.abc import Callable, Container, Mapping
from functools import partial

import msgspec

from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import CameraMessage, Message, NodeMessage, WatermarkMessage
from pipeline.bus.outbox import Outbox, sent_by
from pipeline.bus.retry import Retry
from pipeline.bus.streams import Bus
from pipeline.node.resume import Continued


class Attendance:
    """Tells that the node ``name`` is there: as long as it is, the site goes on without cameras.

    When it starts again, it ends the cameras that it had and has no longer. ``clock`` gives seconds
    UTC.
    """

    def __init__(
        self, bus: Bus, patience: Retry, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._bus = bus
        self._patience = patience
        self._name = name
        self._clock = clock
        # No camera has a colon in its name.
        self._outbox = patience.insist(partial(Outbox, bus, f"node:{name}", live=True))

    def tell(self, cameras: Mapping[str, int]) -> None:
        """The node is there, with ``cameras``, each with the number of its outbox's `Sent.node`."""
        self._send(dict(cameras), is_open=True)

    def leave(self) -> None:
        """No camera will come any more."""
        self._send({}, is_open=False)

    def close_left_behind(self, cameras: Container[str]) -> None:
        """End the cameras of the node before that are not in ``cameras``."""
        for camera_id, number in self._outbox.known.cameras.items():
            before = self._patience.insist(partial(sent_by, self._bus, camera_id))
            # It may be another node's by now.
            if camera_id not in cameras and before.node == number and not before.ended:
                self._close(camera_id)

    def _close(self, camera_id: str) -> None:
        outbox = self._patience.insist(partial(Outbox, self._bus, camera_id, live=True))
        known = outbox.known
        continued = Continued(camera_id, known)
        at = math.nextafter(math.nextafter(known.at, math.inf), math.inf)
        messages: list[tuple[str, Message]] = [
            *((TRACKLETS, message) for message in continued.endings()),
            (TRACKLETS, WatermarkMessage(camera_id, at, ended=True)),
        ]
        if known.record is not None:
            gone = msgspec.structs.replace(
                known.record, state="removed", detail="", removed=self._clock()
            )
            messages.append((OBSERVATIONS, CameraMessage(gone)))
        memory = continued.remember([message for _, message in messages])
        self._patience.insist(partial(outbox.send, messages, ended=True, **memory))

    def _send(self, cameras: dict[str, int], *, is_open: bool) -> None:
        message = TRACKLETS, NodeMessage(self._name, is_open)
        send = partial(self._outbox.send, [message], ended=not is_open, cameras=cameras)
        self._patience.insist(send)
