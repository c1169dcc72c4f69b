"""What a soak writes down. Moments are seconds since the run was started."""

from dataclasses import dataclass, field

#: A camera and one of its tracks.
Track = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from ``at`` to ``until``; without a ``camera`` it is Redis."""

    kind: str
    camera: str
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A camera as a node's message tells it; ``end`` is the capture of its last frame."""

    camera: str
    end: float
    frames: int
    dropped: int
    size: tuple[int, int]
    detail: str


@dataclass(frozen=True, slots=True)
class Named:
    """An identity: when it was written, and for which capture time.

    ``start`` is when its track began; None for a later change of mind about it.
    """

    at: float
    moment: float
    start: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What is held at one moment; without ``redis_mb`` and ``entries`` while Redis is away.

    ``private_mb`` is the part of ``rss_mb`` that is no file, such as a library.
    """

    at: float
    rss_mb: float
    private_mb: float = 0.0
    redis_mb: float | None = None
    entries: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Heard:
    """What the streams said.

    ``missed`` messages of ``messages`` were not read here in time, by the numbers of their senders.
    """

    cameras: list[Seen] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    ended: set[Track] = field(default_factory=set)
    begun: dict[Track, float] = field(default_factory=dict)
    messages: int = 0
    missed: int = 0
    dead: int = 0
