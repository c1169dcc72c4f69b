"""Live pictures of a camera for viewers, under keys that expire within seconds.

A viewer renews its request while it is watching; the node of the camera then publishes the latest
picture. Pictures without viewers are neither encoded nor sent.
"""

from collections.abc import Iterable, Mapping
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
def request(bus: Bus, camera_ids: Iterable[str], kind: PictureKind) -> None:
    """Request pictures of these cameras for the next five seconds."""
    with bus.client.pipeline(transaction=False) as pipe:
        for camera_id in camera_ids:
            pipe.set(picture_request_key(bus.site, camera_id, kind), "", px=_REQUEST_MS)
        pipe.execute()


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
def newer(bus: Bus, known: Mapping[str, float | None], kind: PictureKind) -> dict[str, Picture]:
    """The latest picture of each camera of ``known`` unless its timestamp is the one there."""
    keys = {camera_id: picture_key(bus.site, camera_id, kind) for camera_id in known}
    with bus.client.pipeline(transaction=False) as pipe:
        for key in keys.values():
            pipe.hget(key, "timestamp")
        timestamps: list[Any] = pipe.execute()
        changed = [
            camera_id
            for camera_id, found in zip(keys, timestamps, strict=True)
            if found is not None and float(found) != known[camera_id]
        ]
        for camera_id in changed:
            pipe.hmget(keys[camera_id], ["timestamp", "jpeg"])
        pictures: list[Any] = pipe.execute()
    return {
        camera_id: Picture(float(timestamp), jpeg)
        for camera_id, (timestamp, jpeg) in zip(changed, pictures, strict=True)
        # It may have expired in between.
        if timestamp is not None and jpeg is not None
    }
