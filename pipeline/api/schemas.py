"""What the API answers. Times are seconds UTC, boxes xyxy pixels, places on the ground metres."""

from dataclasses import dataclass
from typing import Literal

#: waiting: nothing was heard of it yet; silent: nothing for too long; the others as the node says.
CameraState = Literal[
    "waiting",
    "connecting",
    "running",
    "stalled",
    "lost",
    "silent",
    "complete",
    "partial",
    "removed",
]


@dataclass(frozen=True, slots=True)
class CameraAnswer:
    """A camera: its ``state`` with the reason, since when, and what was counted.

    ``clock`` says where its timestamps come from; ``last_frame`` is the newest of them. ``source``
    carries no password. What is not known yet is null.
    """

    id: str
    state: CameraState
    reason: str
    since: float | None
    source: str
    frames: int
    dropped: int
    fps: float
    width: int
    height: int
    clock: str
    start: float | None
    last_frame: float | None


@dataclass(frozen=True, slots=True)
class CamerasAnswer:
    """The cameras of a site, by name."""

    site: str
    cameras: list[CameraAnswer]


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """Where somebody was seen last: in that camera since ``since``, there as that track."""

    global_id: int
    camera_id: str
    track_id: int
    confidence: float
    since: float
    last_seen: float
    box: tuple[float, float, float, float] | None
    ground: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class PeopleAnswer:
    """Who was seen within the last seconds before ``now``, by global id.

    ``next`` is the ``after`` of the next page, null on the last one.
    """

    now: float | None
    identities: list[PersonAnswer]
    next: int | None


@dataclass(frozen=True, slots=True)
class StayAnswer:
    """A track, or the part of one, that shows somebody."""

    camera_id: str
    track_id: int
    start: float | None
    end: float | None
    confidence: float


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """All that is known of somebody: when first and last seen, and in which tracks, by time."""

    global_id: int
    first_seen: float | None
    last_seen: float | None
    stays: list[StayAnswer]


@dataclass(frozen=True, slots=True)
class PointAnswer:
    """Somebody in one frame of one camera."""

    timestamp: float
    camera_id: str
    frame_index: int
    track_id: int
    confidence: float
    box: tuple[float, float, float, float]
    ground: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class PathAnswer:
    """Where somebody was, over all cameras, oldest first.

    ``next`` is the ``since`` of the next page, null on the last one.
    """

    global_id: int
    points: list[PointAnswer]
    next: float | None


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """Whether the API lives, and whether it hears of the site."""

    status: Literal["ok", "no redis"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer."""

    detail: str
