"""Requests to a live site to make a correction, and the answers of its associator.

A request is an entry of a stream of its own. The associator deletes it in the transaction that
makes the correction, or refuses it, and leaves an answer that expires.
"""

import logging
from typing import Any, cast

import msgspec

from pipeline.bus.connection import translated
from pipeline.bus.keys import correct_key, corrected_key
from pipeline.bus.messages import VERSION, CorrectMessage, decode, encode
from pipeline.bus.streams import Bus
from trackers.association.corrections import Correction

# The most that are read at once; people make few.
_MOST = 100

_log = logging.getLogger(__name__)


class CorrectionReply(msgspec.Struct):
    """The correction that was made; without one it was checked with what is no longer so."""

    correction: Correction | None = None


@translated
def request(bus: Bus, message: CorrectMessage) -> str:
    """Request a correction; returns the id of its entry."""
    entry: Any = bus.client.xadd(
        correct_key(bus.site), {"version": VERSION, "message": encode(message)}
    )
    return str(entry.decode())


@translated
def requested(bus: Bus) -> list[tuple[str, CorrectMessage]]:
    """The corrections still to be made, oldest first, with the ids of their entries."""
    found: Any = bus.client.xrange(correct_key(bus.site), count=_MOST)
    requests: list[tuple[str, CorrectMessage]] = []
    for entry_id, fields in found:
        message = _message(fields)
        if message is None:
            _log.warning("a request for a correction cannot be read: it is dropped")
            bus.client.xdel(correct_key(bus.site), entry_id)
        else:
            requests.append((entry_id.decode(), message))
    return requests


@translated
def answer(bus: Bus, entry_id: str) -> CorrectionReply | None:
    """The answer to a request, once: it may name a person. None while there is none."""
    key, pipe = corrected_key(bus.site, entry_id), cast(Any, bus.client.pipeline(transaction=True))
    found, _ = pipe.get(key).delete(key).execute()
    return None if found is None else msgspec.json.decode(found, type=CorrectionReply)


@translated
def withdraw(bus: Bus, entry_id: str) -> bool:
    """Withdraw a request; returns False when it was answered before."""
    return bool(bus.client.xdel(correct_key(bus.site), entry_id))


def _message(fields: dict[bytes, bytes]) -> CorrectMessage | None:
    if fields.get(b"version") != str(VERSION).encode():
        return None
    try:
        message = decode(fields.get(b"message", b""))
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None
    return message if isinstance(message, CorrectMessage) else None
