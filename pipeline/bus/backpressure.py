"""Keeping the streams short: what everybody has read goes, and producers wait for slow readers."""

import threading
from collections.abc import Callable
from typing import Any

from pipeline.bus.connection import translated
from pipeline.bus.keys import GROUPS, stream_key
from pipeline.bus.streams import Bus

# A stream longer than this makes its producer wait until the readers have caught up.
_MAX_LENGTH = 20_000
# The last of the memory is for the readers: they need a little to make room.
_MEMORY_FOR_PRODUCERS = 0.9
_FULL_POLL_S = 0.05


@translated
def trim(bus: Bus) -> None:
    """Drop the entries that every group of a stream has acknowledged."""
    # First what was delivered, then what of it is open: the other way round, what is delivered in
    # between would look acknowledged. No MULTI, which a full Redis refuses.
    pipe = bus.client.pipeline(transaction=False)
    for stream, groups in GROUPS.items():
        pipe.xinfo_groups(stream_key(bus.site, stream))
        for group in groups:
            pipe.xpending(stream_key(bus.site, stream), group)
    answers = iter(pipe.execute())
    for stream, groups in GROUPS.items():
        known = {info["name"].decode(): info for info in next(answers)}
        floors = [_unacknowledged_from(known[group], next(answers)) for group in groups]
        bus.client.xtrim(
            stream_key(bus.site, stream), minid=_entry_id(min(floors)), approximate=False
        )


@translated
def pending(bus: Bus) -> dict[tuple[str, str], int]:
    """What was delivered and not acknowledged, by stream and group."""
    found: dict[tuple[str, str], int] = {}
    for stream, groups in GROUPS.items():
        infos: Any = bus.client.xinfo_groups(stream_key(bus.site, stream))
        counts = {info["name"].decode(): int(info["pending"]) for info in infos}
        found |= {(stream, group): counts.get(group, 0) for group in groups}
    return found


def wait_for_room(
    bus: Bus, stop: threading.Event, on_wait: Callable[[], None] = lambda: None
) -> None:
    """Wait while the readers are far behind or the memory is short, unless ``stop`` is set.

    ``on_wait`` is called whenever there was no room.
    """
    while not has_room(bus) and not stop.wait(_FULL_POLL_S):
        on_wait()


@translated
def has_room(bus: Bus) -> bool:
    """Whether a producer may go on; makes room where it can."""
    if any(int(bus.client.xlen(stream_key(bus.site, stream))) > _MAX_LENGTH for stream in GROUPS):
        trim(bus)
        if any(_is_far_behind(bus, stream_key(bus.site, stream)) for stream in GROUPS):
            return False
    memory = bus.client.info("memory")
    if memory["used_memory"] <= _MEMORY_FOR_PRODUCERS * (memory["maxmemory"] or float("inf")):
        return True
    trim(bus)
    return False


def _is_far_behind(bus: Bus, key: str) -> bool:
    """Whether a stream is full and a reader has not even seen all of it.

    What a reader has seen and holds back, until it knows more, must not stop the producer: that
    may be who knows more.
    """
    info: Any = bus.client.xinfo_stream(key)
    groups: Any = bus.client.xinfo_groups(key)
    last = info["last-generated-id"]
    unseen = any(group["last-delivered-id"] != last for group in groups)
    return info["length"] > _MAX_LENGTH and unseen


def _unacknowledged_from(group: Any, pending: Any) -> tuple[int, int]:
    if pending["pending"]:
        return _parts(pending["min"])
    milliseconds, sequence = _parts(group["last-delivered-id"])
    return milliseconds, sequence + 1


def _parts(entry_id: bytes) -> tuple[int, int]:
    milliseconds, sequence = entry_id.decode().split("-")
    return int(milliseconds), int(sequence)


def _entry_id(parts: tuple[int, int]) -> str:
    return f"{parts[0]}-{parts[1]}"
