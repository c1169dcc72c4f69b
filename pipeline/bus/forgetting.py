"""Requests to a live site to forget a person, and the recorder's confirmations.

A request adds the global id to a set. The associator removes it from the set in the transaction
that drops its own data and notifies the recorder, which confirms once everything is removed.
"""

from typing import Any

import redis

from pipeline.bus import entries
from pipeline.bus.connection import translated
from pipeline.bus.keys import dead_letter_key, forget_key, forgotten_key
from pipeline.bus.messages import (
    IdentityMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    unpack,
)
from pipeline.bus.streams import ANSWER_S, Bus
from trackers.tracklet import TrackletKey


@translated
def request(bus: Bus, global_id: int) -> None:
    """Request that ``global_id`` be forgotten; an earlier confirmation is deleted."""
    pipe: Any
    with bus.client.pipeline(transaction=True) as pipe:
        pipe.delete(forgotten_key(bus.site, global_id))
        pipe.sadd(forget_key(bus.site), global_id)
        pipe.execute()


@translated
def requested(bus: Bus) -> list[int]:
    """The global ids still to be forgotten, sorted."""
    found: Any = bus.client.smembers(forget_key(bus.site))
    return sorted(int(number) for number in found)


@translated
def confirm(bus: Bus, global_id: int, removed: bytes, tracks: set[TrackletKey]) -> None:
    """Delete the dead letters that may be of these tracks, then publish what was ``removed``."""
    _drop_dead_letters(bus, tracks)
    _rewrite_file(bus)
    bus.client.set(forgotten_key(bus.site, global_id), removed, ex=ANSWER_S)


@translated
def confirmation(bus: Bus, global_id: int) -> bytes | None:
    """What was removed of a person; None while the recorder has not confirmed."""
    found: Any = bus.client.get(forgotten_key(bus.site, global_id))
    return None if found is None else bytes(found)


def _drop_dead_letters(bus: Bus, tracks: set[TrackletKey]) -> int:
    """Delete the dead letters of these tracks, and those that cannot be read: they may be of them
    too. Returns their number.
    """
    found: Any = bus.client.xrange(dead_letter_key(bus.site))
    letters = [(entry_id, entries.delivery("dead", entry_id, fields)) for entry_id, fields in found]
    matching = [
        entry_id
        for entry_id, letter in letters
        if letter.message is None or not tracks.isdisjoint(_tracks_of(letter.message))
    ]
    return int(bus.client.xdel(dead_letter_key(bus.site), *matching)) if matching else 0


def _tracks_of(message: Message) -> set[TrackletKey]:
    """The tracks that a message is about."""
    match message:
        case TrackletMessage() | IdentityMessage():
            return {(message.camera_id, message.track_id)}
        case ObservationsMessage():
            return {(message.camera_id, int(number)) for number in unpack(message.track_id)}
        case _:
            return set()


def _rewrite_file(bus: Bus) -> None:
    """Ask Redis to rewrite its append-only file without the deleted data, if it allows that."""
    try:
        bus.client.bgrewriteaof()
    except redis.ResponseError:
        # A rewrite is already running, or this user may not start one.
        return
