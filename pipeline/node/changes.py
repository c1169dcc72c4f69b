"""Changes to a running node, queued by the reader of the site file and applied by the node."""

from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event

from pipeline.config.schema import SiteConfig
from pipeline.sources import Source


@dataclass(frozen=True, slots=True)
class SiteChange:
    """Cameras to close and sources to open at ``timestamp``, seconds UTC.

    A changed camera is in both. ``config`` is the new site configuration; the node sets ``done``
    when the change is applied, or when it has ended.
    """

    config: SiteConfig
    closed: tuple[str, ...]
    opened: tuple[Source, ...]
    timestamp: float
    done: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """Queue of changes for the node ``name``; the name stays the same when the node restarts."""

    name: str
    _waiting: SimpleQueue[SiteChange] = field(default_factory=SimpleQueue)
    _closed: Event = field(default_factory=Event)

    def put(self, change: SiteChange) -> None:
        """Queue a change; the node applies it after its current batch."""
        self._waiting.put(change)
        if self._closed.is_set():
            self.close()

    def close(self) -> None:
        """The node has ended: every change counts as done."""
        self._closed.set()
        for change in self.drain():
            change.done.set()

    def drain(self) -> list[SiteChange]:
        """Take all queued changes, oldest first."""
        changes = []
        while True:
            try:
                changes.append(self._waiting.get_nowait())
            except Empty:
                return changes
