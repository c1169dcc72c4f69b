"""Live pictures of a camera for viewers, under keys that expire within seconds.

A viewer renews its request while it is watching; the node of the camera then publishes the latest
picture. Pictures without viewers are neither encoded nor sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

from pipeline.bus.connection import translated
from pipeline.bus.keys import picture_key, picture_request_key
from pipeline.bus.streams import Bus

#: Full size or small, plain or with the boxes of the tracks.
PictureKind: TypeAlias = Literal["full", "full-boxes", "small", "small-boxes"]
KINDS: tuple[PictureKind, ...] = ("full", "full-boxes", "small", "small-boxes")

# Several times the node's poll interval of one second.
_REQUEST_MS = 5_000
_PICTURE_MS = 3_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of the frame with this ``timestamp``, seconds UTC."""

    timestamp: float
    jpeg: bytes


@translated
def request(bus: Bus, camera_id: str, kind: PictureKind) -> None:
    """Request pictures of a camera for the next five seconds."""
    bus.client.set(picture_request_key(bus.site, camera_id, kind), "", px=_REQUEST_MS)


@translated
def requested(bus: Bus, camera_ids: Iterable[str]) -> set[tuple[str, PictureKind]]:
    """The cameras with viewers among ``camera_ids``, each with the kind of picture."""
    pairs = list(product(camera_ids, KINDS))
    if not pairs:
        return set()
    found: Any = bus.client.mget([picture_request_key(bus.site, *pair) for pair in pairs])
    return {pair for pair, value in zip(pairs, found, strict=True) if value is not None}


@translated
def publish(bus: Bus, camera_id: str, kind: PictureKind, picture: Picture) -> None:
    """Publish the latest picture; it expires after three seconds."""
    key = picture_key(bus.site, camera_id, kind)
    with bus.client.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping={"timestamp": repr(picture.timestamp), "jpeg": picture.jpeg})
        pipe.pexpire(key, _PICTURE_MS)
        pipe.execute()


@translated
def latest(
    bus: Bus, camera_id: str, kind: PictureKind, known: float | None = None
) -> Picture | None:
    """The latest picture; None when there is none or its timestamp is ``known``."""
    key = picture_key(bus.site, camera_id, kind)
    timestamp: Any = bus.client.hget(key, "timestamp")
    if timestamp is None or float(timestamp) == known:
        return None
    found: Any = bus.client.hmget(key, ["timestamp", "jpeg"])
    return None if None in found else Picture(float(found[0]), found[1])
