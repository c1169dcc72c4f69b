"""Asking a live site to forget somebody, and hearing what its recorder removed.

Who asks adds the number to a set. The associator takes it out in the same transaction in which it
drops what it knows and tells the recorder, which answers once all is removed.
"""

from typing import Any

import redis

from pipeline.bus import entries
from pipeline.bus.connection import translated
from pipeline.bus.keys import dead_letter_key, forget_key, forgot_key
from pipeline.bus.messages import TrackletMessage
from pipeline.bus.streams import Bus
from trackers.tracklet import TrackletKey

# Long enough for who asked, short enough to leave nothing behind.
_ANSWER_S = 600


@translated
def ask(bus: Bus, global_id: int) -> None:
    """Ask for ``global_id`` to be forgotten; an answer from before does not count."""
    pipe: Any
    with bus.client.pipeline(transaction=True) as pipe:
        pipe.delete(forgot_key(bus.site, global_id))
        pipe.sadd(forget_key(bus.site), global_id)
        pipe.execute()


@translated
def asked(bus: Bus) -> list[int]:
    """Who is to be forgotten and is not yet, in order."""
    found: Any = bus.client.smembers(forget_key(bus.site))
    return sorted(int(number) for number in found)


@translated
def answer(bus: Bus, global_id: int, said: bytes, tracks: set[TrackletKey]) -> None:
    """Drop what was put aside of these tracks, then say what was removed."""
    _drop_dead_letters(bus, tracks)
    _rewrite_file(bus)
    bus.client.set(forgot_key(bus.site, global_id), said, ex=_ANSWER_S)


@translated
def answered(bus: Bus, global_id: int) -> bytes | None:
    """What was removed, None while nobody has said it."""
    found: Any = bus.client.get(forgot_key(bus.site, global_id))
    return None if found is None else bytes(found)


def _drop_dead_letters(bus: Bus, tracks: set[TrackletKey]) -> int:
    """Remove the tracklets of these tracks that were put aside; returns how many."""
    found: Any = bus.client.xrange(dead_letter_key(bus.site))
    letters = [(entry_id, entries.delivery("dead", entry_id, fields)) for entry_id, fields in found]
    gone = [
        entry_id
        for entry_id, letter in letters
        if isinstance(letter.message, TrackletMessage)
        and (letter.message.camera_id, letter.message.track_id) in tracks
    ]
    return int(bus.client.xdel(dead_letter_key(bus.site), *gone)) if gone else 0


def _rewrite_file(bus: Bus) -> None:
    """Have Redis write its file anew, without what was deleted, where it may be told to."""
    try:
        bus.client.bgrewriteaof()
    except redis.ResponseError:
        # It is being written already, or only its owner may ask for it.
        return
