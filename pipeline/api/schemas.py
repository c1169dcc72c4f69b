"""Responses of the API. Times are seconds UTC, boxes xyxy pixels, ground points metres."""

from dataclasses import dataclass
from typing import Literal

#: waiting: no message yet; silent: no message for too long; all others as reported by the node.
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
    """A camera: its ``state`` with the reason and start time, and its counters.

    ``clock`` is the origin of its timestamps, ``last_frame`` the latest timestamp. ``source``
    contains no password. Of a live camera with ``fps`` frames a second ``followed_fps`` are
    followed, with a mean delay of ``delay_s``; ``overloaded`` says that its node leaves out most of
    them. Unknown values are null.
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
    followed_fps: float | None = None
    delay_s: float | None = None
    overloaded: bool = False


@dataclass(frozen=True, slots=True)
class CamerasAnswer:
    """The cameras of a site, by name."""

    site: str
    cameras: list[CameraAnswer]


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """The last position of a person: camera and track, in which they have been since ``since``."""

    global_id: int
    camera_id: str
    track_id: int
    confidence: float
    since: float
    last_seen: float
    box: tuple[float, float, float, float] | None
    ground: tuple[float, float] | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PeopleAnswer:
    """The people seen within the requested seconds before ``now``, by global id.

    ``next`` is the ``after`` of the next page, null on the last one.
    """

    now: float | None
    identities: list[PersonAnswer]
    next: int | None


@dataclass(frozen=True, slots=True)
class BoxAnswer:
    """A tracked person in a frame; the global id is null while it is unknown."""

    global_id: int | None
    track_id: int
    box: tuple[float, float, float, float]
    confidence: float
    ground: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ThumbnailAnswer:
    """The best picture of a track, at ``url``; times are those of the track, null if unknown."""

    camera_id: str
    track_id: int
    start: float | None
    end: float | None
    url: str


@dataclass(frozen=True, slots=True)
class ThumbnailsAnswer:
    """Pictures of a person, by time."""

    thumbnails: list[ThumbnailAnswer]


@dataclass(frozen=True, slots=True)
class ZoneCount:
    """The people in a zone now: their number and their global ids."""

    zone: str
    people: int
    identities: list[int]


@dataclass(frozen=True, slots=True)
class LineCount:
    """How often a line was crossed in a direction since the API began."""

    line: str
    direction: str
    crossings: int


@dataclass(frozen=True, slots=True)
class CountsAnswer:
    """Zones and lines of the site ``now``, seconds UTC."""

    now: float | None
    zones: list[ZoneCount]
    lines: list[LineCount]


@dataclass(frozen=True, slots=True)
class StayAnswer:
    """A track of a person, or the part of a track that shows them."""

    camera_id: str
    track_id: int
    start: float | None
    end: float | None
    confidence: float


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """A person: times of the first and last observation, and their tracks by time."""

    global_id: int
    first_seen: float | None
    last_seen: float | None
    stays: list[StayAnswer]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PointAnswer:
    """A person in one frame of one camera."""

    timestamp: float
    camera_id: str
    frame_index: int
    track_id: int
    confidence: float
    box: tuple[float, float, float, float]
    ground: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class PathAnswer:
    """The path of a person over all cameras, oldest point first.

    ``next`` is the ``since`` of the next page, null on the last one.
    """

    global_id: int
    points: list[PointAnswer]
    next: float | None


@dataclass(frozen=True, slots=True)
class SeenAnswer:
    """A person in one camera for a while."""

    camera_id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """A person, and the probability that it is the one searched for."""

    global_id: int
    probability: float
    cameras: list[str]
    first_seen: float
    last_seen: float
    seen: list[SeenAnswer]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The people ``found`` among a number of ``people``, the likeliest first; no match if it
    is empty. ``closest`` are below the ``threshold``.

    ``verdict`` says it in a sentence. ``unknown_words`` are words that the network has never seen.
    """

    verdict: str
    found: list[FoundAnswer]
    closest: list[FoundAnswer]
    threshold: float
    tracks: int
    people: int
    unknown_words: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """An event to review; ``by`` reviewed it at ``reviewed_at``, or took that back last.

    ``kind`` is enter, leave, dwell, line, new person, camera lost or camera back, ``place`` the
    zone or line. Unknown values are null. ``picture`` is the address of the person's best picture
    in the track of that moment, where the run keeps thumbnails; while that track is open it answers
    404, or with the track nearest in time. ``frame`` is that of the frame of the moment, with the
    boxes in it, where the run keeps videos.
    """

    id: str
    kind: str
    at: float
    camera_id: str | None
    global_id: int | None
    place: str | None
    text: str
    reviewed: bool
    by: str | None
    reviewed_at: float | None
    picture: str | None
    frame: str | None


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """Events, the newest first; ``next`` is the ``before`` of the next page, null on the last."""

    events: list[EventAnswer]
    next: float | None


@dataclass(frozen=True, slots=True)
class MarkRequest:
    """Whether an event has been reviewed."""

    reviewed: bool = True


@dataclass(frozen=True, slots=True)
class MarkAnswer:
    """Who has marked an event as ``reviewed`` or not, and when."""

    id: str
    reviewed: bool
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """A stream in Redis: its messages, and those that were read and are not done."""

    stream: str
    length: int
    pending: int


@dataclass(frozen=True, slots=True)
class RedisAnswer:
    """The Redis of a site.

    ``fault`` is why it does not answer, empty while it does. ``parts`` are the processes that have
    registered and not ended; ``dead`` counts invalid messages, ``memory`` is bytes.
    """

    fault: str
    parts: list[str]
    streams: list[StreamAnswer]
    dead: int | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """Bytes and files of one kind in the run directory."""

    kind: str
    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class StorageAnswer:
    """The run directory by its name, and the bytes on its disk, free and in all."""

    name: str
    stored: list[StoredAnswer]
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class SystemAnswer:
    """The version of fusetrack, the Redis of a live site, and the storage of a run directory."""

    version: str
    live: bool
    redis: RedisAnswer | None
    storage: StorageAnswer | None


@dataclass(frozen=True, slots=True)
class GridLineAnswer:
    """A line of the ground, one a metre, in the picture of a camera; ``text`` is its label."""

    text: str
    points: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class CalibrationAnswer:
    """The calibration of a camera, null without one, and what it makes of the ground.

    ``homography`` maps ground metres to pixels. It is saved in ``file``, which is as it was
    ``seen``; null where there is no site file to save it in.
    """

    camera_id: str
    width: int
    height: int
    homography: list[list[float]] | None
    grid: list[GridLineAnswer]
    file: str | None
    seen: str | None


@dataclass(frozen=True, slots=True)
class FitAnswer:
    """The homography that fits points best, how far off each point is in pixels and in metres on
    the ground, and what it makes of the ground.
    """

    homography: list[list[float]]
    error_px: list[float]
    error_m: list[float]
    grid: list[GridLineAnswer]


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """Points as pixel x, pixel y, ground x, ground y (metres), for the site file as ``seen``."""

    points: list[tuple[float, float, float, float]]
    seen: str


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """The site file is now as ``seen``."""

    file: str
    seen: str


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """The floor plan: its picture, the size of that in pixels, and the matrix from its pixels to
    metres on the ground, row by row.
    """

    url: str
    width: int
    height: int
    to_ground: list[list[float]]


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """The ground that a camera sees on the map, as a polygon, and where the camera is: ``eye``, if
    that is known; ``at`` is that or the ground at the lower edge of its picture, if on the map.
    """

    camera_id: str
    field: list[tuple[float, float]]
    eye: tuple[float, float] | None
    at: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class PlaceAnswer:
    """A zone or line on the ground; ``camera`` is the camera in whose picture it was given."""

    name: str
    camera: str | None
    points: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class BoundsAnswer:
    """A part of the ground: the least x and y, and the greatest."""

    left: float
    low: float
    right: float
    high: float


@dataclass(frozen=True, slots=True)
class MapAnswer:
    """What the map shows of the ground; ``bounds`` are null where nothing is known of it."""

    plan: PlanAnswer | None
    bounds: BoundsAnswer | None
    cameras: list[FieldAnswer]
    zones: list[PlaceAnswer]
    lines: list[PlaceAnswer]


@dataclass(frozen=True, slots=True)
class TrailAnswer:
    """Where a person walked: moment (seconds UTC), x and y, the oldest first."""

    global_id: int
    points: list[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class TrailsAnswer:
    """The trails of all people before ``until``, by global id."""

    until: float | None
    people: list[TrailAnswer]


@dataclass(frozen=True, slots=True)
class HeatAnswer:
    """How long people were in each cell; ``left`` and ``low`` are the least x and y of the grid,
    null for nobody.
    """

    since: float | None
    until: float | None
    cell_m: float
    left: float | None
    low: float | None
    seconds: list[list[float]]


@dataclass(frozen=True, slots=True)
class MeAnswer:
    """Who asks: an editor, or a viewer, who can change nothing.

    ``live`` says whether the site is running, ``login`` whether it needs a token.
    """

    name: str
    role: Literal["viewer", "editor"]
    site: str
    live: bool
    login: bool


@dataclass(frozen=True, slots=True)
class NamesAnswer:
    """The names that people were given, by global id."""

    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class CorrectionAnswer:
    """A correction: who made it (``by``), when (``at``), what it did (``text``), to whom.

    ``undone_by`` is the number of the correction that took it back. The rest is what was asked for;
    ``new_id`` is the global id of a person that it made.
    """

    number: int
    kind: Literal["merge", "split", "move", "name", "undo"]
    by: str
    at: float
    text: str
    undone_by: int | None
    global_ids: list[int]
    global_id: int | None
    into: int | None
    moment: float | None
    camera_id: str | None
    track_id: int | None
    since: float | None
    to: int | None
    name: str | None
    undoes: int | None
    new_id: int | None


@dataclass(frozen=True, slots=True)
class CorrectionsAnswer:
    """The corrections of a run, oldest first."""

    corrections: list[CorrectionAnswer]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a correction cannot be made, and who the person is ``now``, if that is known."""

    detail: str
    now: int | None


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """Another person that a track could have been."""

    global_id: int
    confidence: float


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """Why a track, or its part from ``since`` on, is a person: decided ``at``, seconds UTC."""

    at: float
    camera_id: str
    track_id: int
    since: float | None
    confidence: float
    kind: str
    reason: str
    state: str
    runners_up: list[RunnerUp]


@dataclass(frozen=True, slots=True)
class LinksAnswer:
    """The decisions that made the tracks of a person theirs, newest last."""

    links: list[LinkAnswer]


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """Whether the API is connected to Redis."""

    status: Literal["ok", "no redis"]


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason for an error."""

    detail: str
