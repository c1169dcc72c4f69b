"""Announces that a node is running, may add cameras at any time, and which cameras it runs."""

import math
import time
from collections.abc import Callable, Container, Mapping
from functools import partial

import msgspec

from pipeline.bus.connection import Retry
from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import CameraMessage, Message, NodeMessage, WatermarkMessage
from pipeline.bus.outbox import Outbox, sent_state
from pipeline.bus.streams import Bus
from pipeline.node.resume import ResumedCamera


class NodePresence:
    """Announces that the node ``name`` is running; while it is, a site without cameras stays open.

    A restarted node ends the cameras that it ran before and no longer has. ``clock`` returns
    seconds UTC.
    """

    def __init__(
        self, bus: Bus, retry: Retry, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._bus = bus
        self._retry = retry
        self._name = name
        self._clock = clock
        # Camera names cannot contain a colon, so this cannot collide with one.
        self._outbox = retry.call(partial(Outbox, bus, f"node:{name}", live=True))

    def announce(self, cameras: Mapping[str, int]) -> None:
        """Announce the node with its ``cameras``, each with the `SentState.node` of its outbox."""
        self._send(dict(cameras), is_open=True)

    def leave(self) -> None:
        """Announce that the node has stopped and will add no more cameras."""
        self._send({}, is_open=False)

    def end_abandoned_cameras(self, cameras: Container[str]) -> None:
        """End the cameras of the previous run of this node that are not in ``cameras``."""
        for camera_id, number in self._outbox.known.cameras.items():
            before = self._retry.call(partial(sent_state, self._bus, camera_id))
            # Another node may run it by now.
            if camera_id not in cameras and before.node == number and not before.ended:
                self._close(camera_id)

    def _close(self, camera_id: str) -> None:
        outbox = self._retry.call(partial(Outbox, self._bus, camera_id, live=True))
        known = outbox.known
        resumed = ResumedCamera(camera_id, known, outbox.crops)
        at = math.nextafter(math.nextafter(known.at, math.inf), math.inf)
        messages: list[tuple[str, Message]] = [
            *((TRACKLETS, message) for message in resumed.closing_messages()),
            (TRACKLETS, WatermarkMessage(camera_id, at, ended=True)),
        ]
        if known.record is not None:
            removed = msgspec.structs.replace(
                known.record, state="removed", detail="", removed=self._clock()
            )
            messages.append((OBSERVATIONS, CameraMessage(removed)))
        progress = resumed.record_sent([message for _, message in messages])
        self._retry.call(partial(outbox.send, messages, ended=True, **progress))

    def _send(self, cameras: dict[str, int], *, is_open: bool) -> None:
        message = TRACKLETS, NodeMessage(self._name, is_open)
        send = partial(self._outbox.send, [message], ended=not is_open, cameras=cameras)
        self._retry.call(send)
