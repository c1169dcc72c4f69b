"""The real bus with something added: messages that come bit by bit, and sudden death."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from pipeline.bus.entries import Delivery
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, stream_key
from pipeline.bus.messages import VERSION, CameraMessage, Message, NodeMessage
from pipeline.bus.outbox import Outbox
from pipeline.bus.streams import Bus

#: A stream and what is sent to it at once.
Sent = tuple[str, Sequence[Message]]


def send(bus: Bus, stream: str, messages: Iterable[Message]) -> None:
    """Send ``messages`` in this order, each in the name of its camera or of the associator."""
    outboxes: dict[str, Outbox] = {}
    named = [(ASSOCIATOR if stream == IDENTITIES else camera_of(m), m) for m in messages]
    for sender, batch in groupby(named, key=itemgetter(0)):
        if sender not in outboxes:
            # A live camera goes on where it was.
            outboxes[sender] = Outbox(bus, sender, live=True)
        outboxes[sender].send([(stream, message) for _, message in batch])


def broken(message: Message, **values: object) -> bytes:
    """``message`` as it comes from a sender that checks nothing, with other ``values``."""
    plain: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(message))
    return msgspec.msgpack.encode({**plain, **values})


def send_raw(bus: Bus, stream: str, message: bytes, sender: str, number: int | str) -> None:
    """An entry with these fields."""
    fields: dict[Any, Any] = {"sender": sender, "number": number, "version": VERSION}
    bus.client.xadd(stream_key(bus.site, stream), {**fields, "message": message})


def camera_of(message: Message) -> str:
    """The camera, or the node, that sends this."""
    if isinstance(message, CameraMessage):
        return message.camera.camera_id
    if isinstance(message, NodeMessage):
        return f"node:{message.node}"
    return str(getattr(message, "camera_id"))  # noqa: B009


class FeedingBus(Bus):
    """Before every read it sends the next of ``chunks``; a read takes at most ``count``."""

    def __init__(self, url: str, site: str, chunks: Iterable[Sent], count: int = 1000) -> None:
        super().__init__(url, site)
        self._chunks = iter(chunks)
        self._count = count

    def read(self, *arguments: Any, **options: Any) -> list[Delivery]:
        """Send, then read."""
        for stream, messages in [next(self._chunks, ("", ()))]:
            send(self, stream, messages)
        return super().read(*arguments[:4], count=self._count, **options)


class KilledError(Exception):
    """The process is dead."""


class MortalBus(Bus):
    """Dies around its call number ``last`` to claim, read or commit, before or after it is done.

    Once ``dead`` it does nothing any more. A read takes at most ``count``.
    """

    def __init__(self, url: str, site: str, last: int, *, done: bool, count: int) -> None:
        super().__init__(url, site)
        self.dead = False
        self._left = last
        self._done = done
        self._count = count

    def claim(self, group: str, consumer: str, stream: str) -> list[Delivery]:
        """As it was, while alive."""
        self._may_die(before=True)
        deliveries = super().claim(group, consumer, stream)
        self._may_die(before=False)
        return deliveries

    def read(self, *arguments: Any, **options: Any) -> list[Delivery]:
        """As it was, while alive."""
        self._may_die(before=True)
        deliveries = super().read(*arguments[:4], count=self._count, **options)
        self._may_die(before=False)
        return deliveries

    def commit(self, group: str, done: Iterable[Delivery], **more: object) -> None:
        """As it was, while alive."""
        self._may_die(before=True)
        super().commit(group, done, **more)  # type: ignore[arg-type]
        self._may_die(before=False)

    def _may_die(self, *, before: bool) -> None:
        self._left -= before
        if self.dead or (self._left == 0 and before != self._done):
            self.dead = True
            raise KilledError
