"""An entry of a stream: its sender, the sender's message number, and the message.

Each sender numbers its messages on a stream from 1 without gaps, so that a reader can recognise
repeated messages and messages that arrive too early without looking at their content.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pipeline.bus.messages import VERSION, Message, decode, encode

# More digits than any sender can count to, and few enough for `int` at any length limit.
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send: the stream's short name, its sender and the sender's message number."""

    stream: str
    sender: str
    number: int
    message: Message


@dataclass(frozen=True, slots=True)
class Delivery:
    """A received message with the stream's short name and its entry id in Redis.

    For an invalid entry ``message`` is None and ``fault`` the reason; an entry without a valid
    sender and number has an empty ``sender`` and the number 0.
    """

    stream: str
    entry_id: str
    sender: str
    number: int
    message: Message | None
    fault: str = ""

    @property
    def sent(self) -> float:
        """When it was sent by the clock of Redis, seconds UTC; those of one millisecond are a
        microsecond apart.
        """
        milliseconds, _, sequence = self.entry_id.partition("-")
        return int(milliseconds) / 1e3 + int(sequence) / 1e6

    def faulty(self, reason: str) -> "Delivery":
        """This delivery marked as invalid for ``reason``."""
        return replace(self, message=None, fault=reason)

    def unnumbered(self, reason: str) -> "Delivery":
        """This delivery marked as invalid for ``reason``, because its number is."""
        return replace(self.faulty(reason), sender="", number=0)


def fields(outgoing: Outgoing) -> dict[Any, Any]:
    """The fields of the entry that carries a message."""
    return {
        "sender": outgoing.sender,
        "number": outgoing.number,
        "version": VERSION,
        "message": encode(outgoing.message),
    }


def delivery(stream: str, entry_id: bytes, found: dict[bytes, bytes]) -> Delivery:
    """The delivery of an entry; an invalid entry gets a fault, nothing is raised."""
    entry = entry_id.decode()
    sender = found.get(b"sender", b"").decode(errors="replace")
    digits = found.get(b"number", b"")
    number = int(digits) if digits.isdigit() and len(digits) <= _MOST_DIGITS else 0
    if not sender or number < 1:
        return Delivery(stream, entry, "", 0, None, "expected a sender and a number of at least 1")
    try:
        return Delivery(stream, entry, sender, number, _message(found))
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        return Delivery(stream, entry, sender, number, None, str(error))


def deliveries(answer: Any, names: Mapping[str, str]) -> list[Delivery]:
    """The deliveries in a reply to XREAD or XREADGROUP; ``names`` maps keys to stream names."""
    return [
        delivery(names[key.decode()], *entry) for key, batch in _pairs(answer) for entry in batch
    ]


def _pairs(answer: Any) -> Iterable[tuple[bytes, Any]]:
    # redis-py gives a list of pairs over RESP2 and a mapping over RESP3.
    if isinstance(answer, dict):
        return [(key, batch) for key, batches in answer.items() for batch in batches]
    return answer or []


def by_stream(deliveries: Iterable[Delivery]) -> dict[str, list[str]]:
    """The entry ids of ``deliveries`` by stream."""
    ids: dict[str, list[str]] = {}
    for delivered in deliveries:
        ids.setdefault(delivered.stream, []).append(delivered.entry_id)
    return ids


def _message(found: dict[bytes, bytes]) -> Message:
    version = found.get(b"version", b"none").decode(errors="replace")
    if version != str(VERSION):
        raise ValueError(f"expected version {VERSION}, got {version}")
    return decode(found.get(b"message", b""))
