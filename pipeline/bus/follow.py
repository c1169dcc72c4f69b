"""Reading along: everything on the streams, without holding anything up or taking it away."""

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
def read_along(
    bus: Bus, after: Mapping[str, str], block_s: float, count: int = 1000
) -> list[Delivery]:
    """What came after the entry ids ``after``, by stream; nothing after ``block_s`` seconds.

    At most ``count`` a stream. The reader is in no group: it holds up nobody, and what all groups
    have acknowledged before it was read is missed.
    """
    names = {stream_key(bus.site, stream): stream for stream in after}
    positions: Any = {stream_key(bus.site, stream): entry_id for stream, entry_id in after.items()}
    block = max(int(block_s * 1000), 1)  # 0 would be for ever
    return entries.deliveries(bus.client.xread(positions, count, block), names)
