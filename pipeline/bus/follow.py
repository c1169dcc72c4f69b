"""Reading along: everything on the streams, without holding anything up or taking it away."""

from collections.abc import Mapping
from typing import Any

import redis

from pipeline.bus import entries
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import stream_key

#: Before the first entry of a stream.
BEGINNING = "0-0"


def read_along(
    client: redis.Redis, site: str, after: Mapping[str, str], block_s: float, count: int
) -> list[Delivery]:
    """What came after these entry ids, by short name of the stream; see `Bus.read_along`."""
    names = {stream_key(site, stream): stream for stream in after}
    positions: Any = {stream_key(site, stream): entry_id for stream, entry_id in after.items()}
    block = max(int(block_s * 1000), 1)  # 0 would be for ever
    return entries.deliveries(client.xread(positions, count, block), names)
