"""Keeps the streams short: trims what all groups acknowledged; producers wait for slow readers."""

import threading
from collections.abc import Callable
from typing import Any

from pipeline.bus.connection import translated
from pipeline.bus.keys import GROUPS, stream_key
from pipeline.bus.streams import Bus

# A producer waits while a stream is longer than this and its readers lag behind.
_MAX_LENGTH = 20_000
# The rest is reserved for the readers: acknowledging and trimming need memory too.
_MEMORY_FOR_PRODUCERS = 0.9
_FULL_POLL_S = 0.05


@translated
def trim(bus: Bus) -> None:
    """Drop the entries that every group of a stream has acknowledged."""
    # Delivered entries are read before pending ones: in the other order, an entry delivered in
    # between would look acknowledged. No MULTI, because a full Redis refuses it.
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
    """Number of entries delivered but not acknowledged, by stream and group."""
    found: dict[tuple[str, str], int] = {}
    for stream, groups in GROUPS.items():
        infos: Any = bus.client.xinfo_groups(stream_key(bus.site, stream))
        counts = {info["name"].decode(): int(info["pending"]) for info in infos}
        found |= {(stream, group): counts.get(group, 0) for group in groups}
    return found


def wait_for_capacity(
    bus: Bus, stop: threading.Event, on_wait: Callable[[], None] = lambda: None
) -> None:
    """Wait while the readers are far behind or memory is short, unless ``stop`` is set.

    ``on_wait`` is called after each wait.
    """
    while not has_capacity(bus) and not stop.wait(_FULL_POLL_S):
        on_wait()


@translated
def has_capacity(bus: Bus) -> bool:
    """Whether a producer may publish; trims the streams first if necessary."""
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
    """Whether a stream is full and some reader has not yet received all of it.

    Entries that a reader has received but holds back, waiting for further messages, must not block
    the producer: it may be the one to send those messages.
    """
    info: Any = bus.client.xinfo_stream(key)
    groups: Any = bus.client.xinfo_groups(key)
    last = info["last-generated-id"]
    undelivered = any(group["last-delivered-id"] != last for group in groups)
    return info["length"] > _MAX_LENGTH and undelivered


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
