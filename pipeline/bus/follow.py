"""Reads the streams without a consumer group: nothing is delayed, consumed or acknowledged."""

from collections.abc import Mapping
from typing import Any

from pipeline.bus import entries
from pipeline.bus.connection import translated
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import stream_key
from pipeline.bus.streams import Bus

#: Before the first entry of a stream.
BEGINNING = "0-0"


@translated
def read_without_group(
    bus: Bus, after: Mapping[str, str], block_s: float, count: int = 1000
) -> list[Delivery]:
    """The entries after the ids ``after``, by stream; empty if none comes in ``block_s`` seconds.

    At most ``count`` entries per stream. The reader is in no group, so trimming does not wait for
    it: entries that all groups acknowledge before it reads them are missed.
    """
    names = {stream_key(bus.site, stream): stream for stream in after}
    positions: Any = {stream_key(bus.site, stream): entry_id for stream, entry_id in after.items()}
    block = max(int(block_s * 1000), 1)  # 0 would block indefinitely
    return entries.deliveries(bus.client.xread(positions, count, block), names)
