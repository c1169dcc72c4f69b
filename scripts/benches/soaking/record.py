"""The observations of a soak. Times are seconds since the run was started."""

from dataclasses import dataclass, field

#: A camera and one of its tracks.
Track = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault from ``at`` to ``until``; with an empty ``camera`` it is one of Redis."""

    kind: str
    camera: str
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class CameraReport:
    """A camera's state from a node's message; ``end`` is the capture time of its last frame."""

    camera: str
    end: float
    frames: int
    dropped: int
    size: tuple[int, int]
    detail: str


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """An identity decision: when it was written (``at``), and for which capture time (``moment``).

    ``start`` is the start of its track; None for a later revision of the decision.
    """

    at: float
    moment: float
    start: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory and stream lengths at one time; without Redis, ``redis_mb`` and ``entries`` are empty.

    ``private_mb`` is the part of ``rss_mb`` that is not mapped from files, such as libraries;
    ``redis_mb`` is what Redis uses, ``server_mb`` the size of its process.
    """

    at: float
    rss_mb: float
    private_mb: float = 0.0
    redis_mb: float | None = None
    entries: dict[str, int] = field(default_factory=dict)
    server_mb: float | None = None


@dataclass(slots=True)
class StreamLog:
    """What was read from the streams.

    ``missed`` counts messages that were not read in time, by the sequence numbers of the senders.
    """

    cameras: list[CameraReport] = field(default_factory=list)
    identities: list[IdentityEvent] = field(default_factory=list)
    ended: set[Track] = field(default_factory=set)
    begun: dict[Track, float] = field(default_factory=dict)
    messages: int = 0
    missed: int = 0
    dead: int = 0
