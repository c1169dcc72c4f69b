"""What is to change in a running node: put by who reads the site's file, taken by the node."""

from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event

from pipeline.config.schema import SiteConfig
from pipeline.sources import Source


@dataclass(frozen=True, slots=True)
class SiteChange:
    """Cameras to close and sources to open, at ``moment``, seconds UTC.

    One that is changed is both. ``config`` is the site as it is then; ``done`` is set by the node.
    """

    config: SiteConfig
    closed: tuple[str, ...]
    opened: tuple[Source, ...]
    moment: float
    done: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """The changes that wait for the node ``name``, which is the same when it starts again."""

    name: str
    _waiting: SimpleQueue[SiteChange] = field(default_factory=SimpleQueue)

    def put(self, change: SiteChange) -> None:
        """Have the node do this, as soon as it has time."""
        self._waiting.put(change)

    def take(self) -> list[SiteChange]:
        """What came since this was last asked, oldest first."""
        changes = []
        while True:
            try:
                changes.append(self._waiting.get_nowait())
            except Empty:
                return changes
