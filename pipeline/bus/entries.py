"""An entry of a stream: who sent it, as which of its messages, and the message.

Each sender numbers its messages on a stream from 1 without a gap, so that a reader can tell a
repeated one and one that comes too early, whatever they say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pipeline.bus.messages import VERSION, Message, decode, encode


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way: the stream's short name, and number ``number`` of its sender there."""

    stream: str
    sender: str
    number: int
    message: Message


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message with its place: the stream's short name and the entry id that Redis gave it.

    A message that cannot be used is None and has a ``fault``; one that is not even a message of
    ours has no ``sender`` and the number 0.
    """

    stream: str
    entry_id: str
    sender: str
    number: int
    message: Message | None
    fault: str = ""

    def faulty(self, reason: str) -> "Delivery":
        """This delivery as one that cannot be used."""
        return replace(self, message=None, fault=reason)


def fields(outgoing: Outgoing) -> dict[Any, Any]:
    """The fields of the entry that carries a message."""
    return {
        "sender": outgoing.sender,
        "number": outgoing.number,
        "version": VERSION,
        "message": encode(outgoing.message),
    }


def delivery(stream: str, entry_id: bytes, found: dict[bytes, bytes]) -> Delivery:
    """What an entry delivers; never raises."""
    place = entry_id.decode()
    sender = found.get(b"sender", b"").decode(errors="replace")
    digits = found.get(b"number", b"")
    number = int(digits) if digits.isdigit() else 0
    if not sender or number < 1:
        return Delivery(stream, place, "", 0, None, "expected a sender and a number from 1 on")
    try:
        return Delivery(stream, place, sender, number, _message(found))
    except (msgspec.DecodeError, ValueError) as error:
        return Delivery(stream, place, sender, number, None, str(error))


def deliveries(answer: Any, names: Mapping[str, str]) -> list[Delivery]:
    """What the answer to XREAD or XREADGROUP delivers; ``names`` are the streams by key."""
    return [
        delivery(names[key.decode()], *entry) for key, batch in _pairs(answer) for entry in batch
    ]


def _pairs(answer: Any) -> Iterable[tuple[bytes, Any]]:
    # redis-py gives a list of pairs over RESP2 and a mapping over RESP3.
    if isinstance(answer, dict):
        return [(key, batch) for key, batches in answer.items() for batch in batches]
    return answer or []


def by_stream(deliveries: Iterable[Delivery]) -> dict[str, list[str]]:
    """The entry ids of each stream."""
    ids: dict[str, list[str]] = {}
    for delivered in deliveries:
        ids.setdefault(delivered.stream, []).append(delivered.entry_id)
    return ids


def _message(found: dict[bytes, bytes]) -> Message:
    version = found.get(b"version", b"none").decode(errors="replace")
    if version != str(VERSION):
        raise ValueError(f"expected version {VERSION}, got {version}")
    return decode(found.get(b"message", b""))
