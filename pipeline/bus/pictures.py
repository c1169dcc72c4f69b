"""Pictures of a camera for who looks at it, under keys that expire in seconds.

Who looks says so and says it again while it looks; the node that has the camera then shows the
latest picture. What nobody looks at is neither encoded nor sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

from pipeline.bus.connection import translated
from pipeline.bus.keys import picture_key, wanted_key
from pipeline.bus.streams import Bus

#: The whole picture or a small one, plain or with the boxes of the tracks.
PictureKind: TypeAlias = Literal["full", "full-boxes", "small", "small-boxes"]
KINDS: tuple[PictureKind, ...] = ("full", "full-boxes", "small", "small-boxes")

# A node looks once a second for what is wanted.
_WANTED_MS = 5_000
_SHOWN_MS = 3_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of the frame with this ``timestamp``, seconds UTC."""

    timestamp: float
    jpeg: bytes


@translated
def want(bus: Bus, camera_id: str, kind: PictureKind) -> None:
    """Say that somebody looks at the camera, for the next seconds."""
    bus.client.set(wanted_key(bus.site, camera_id, kind), "", px=_WANTED_MS)


@translated
def wanted(bus: Bus, camera_ids: Iterable[str]) -> set[tuple[str, PictureKind]]:
    """Which of these cameras somebody looks at, and how."""
    pairs = list(product(camera_ids, KINDS))
    if not pairs:
        return set()
    found: Any = bus.client.mget([wanted_key(bus.site, *pair) for pair in pairs])
    return {pair for pair, value in zip(pairs, found, strict=True) if value is not None}


@translated
def show(bus: Bus, camera_id: str, kind: PictureKind, picture: Picture) -> None:
    """Put a picture where those who look find it, for the next seconds."""
    key = picture_key(bus.site, camera_id, kind)
    with bus.client.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping={"timestamp": repr(picture.timestamp), "jpeg": picture.jpeg})
        pipe.pexpire(key, _SHOWN_MS)
        pipe.execute()


@translated
def shown(
    bus: Bus, camera_id: str, kind: PictureKind, known: float | None = None
) -> Picture | None:
    """The picture that is shown, None when there is none or it is the one of ``known``."""
    key = picture_key(bus.site, camera_id, kind)
    timestamp: Any = bus.client.hget(key, "timestamp")
    if timestamp is None or float(timestamp) == known:
        return None
    found: Any = bus.client.hmget(key, ["timestamp", "jpeg"])
    return None if None in found else Picture(float(found[0]), found[1])
