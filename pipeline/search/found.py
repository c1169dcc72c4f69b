"""The result of a search: people, with their times, pictures and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.pictures.clock import Clock
from pipeline.run_directory.reader import RunDirectory


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person in one camera from ``start`` to ``end``, seconds UTC."""

    camera_id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """A global id, with the probability that it is the one searched for.

    ``seen`` is every track of the person in the searched part of the run, by time. ``picture`` is
    the path of the best thumbnail in the run directory, None where none was kept.
    """

    global_id: int
    probability: float
    seen: list[Sighting]
    picture: str | None = None

    @property
    def cameras(self) -> list[str]:
        """The cameras that saw the person, sorted."""
        return sorted({one.camera_id for one in self.seen})

    @property
    def start(self) -> float:
        """When the person was seen first, seconds UTC."""
        return min(one.start for one in self.seen)

    @property
    def end(self) -> float:
        """When the person was seen last, seconds UTC."""
        return max(one.end for one in self.seen)


def clock_of(run: RunDirectory) -> Clock:
    """Formats the times of a run."""
    start = min((camera.start for camera in run.cameras() if camera.frames), default=0.0)
    return Clock(start, start)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The people that were found, the likeliest first; empty without a match.

    ``closest`` are the likeliest that are not likely enough: below the probability ``threshold``.
    ``tracks`` were compared, of ``people``. ``unknown_words`` are those that the network has never
    seen, ``notes`` whatever else should be known.
    """

    run: RunDirectory
    text: str | None
    picture: str | None
    found: list[FoundPerson]
    closest: list[FoundPerson]
    threshold: float
    tracks: int
    people: int
    unknown_words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def verdict(self) -> str:
        """What was found, in a sentence."""
        among = f"among {self.people:,} {'person' if self.people == 1 else 'people'}"
        if not self.found:
            return f"Nothing like that here, {among} ({self.tracks:,} tracks)."
        count = len(self.found)
        return f"{count} {'person' if count == 1 else 'people'} like that, {among}."

    def remarks(self) -> Sequence[str]:
        """What should be known about the search, a sentence each."""
        if not self.unknown_words:
            return self.notes
        names = ", ".join(self.unknown_words)
        return [f"The network does not know these words and leaves them out: {names}.", *self.notes]
