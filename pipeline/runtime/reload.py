"""Reloads the site file of a running site when it changes or on request."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.background import in_background
from pipeline.config.schema import CameraConfig, CameraLink, SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch
from pipeline.node.changes import SiteChange
from pipeline.sources.open import open_live_sources
from pipeline.sources.source_kinds import is_live_camera


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of the live cameras to add, remove and reopen; ``config`` is the resulting site.

    ``restart`` names other differences, which take a restart and are not in ``config``.
    """

    config: SiteConfig
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    @property
    def opened(self) -> tuple[str, ...]:
        """The cameras to open."""
        return self.added + self.changed

    @property
    def closed(self) -> tuple[str, ...]:
        """The cameras to close."""
        return self.removed + self.changed

    def __str__(self) -> str:
        names = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return "; ".join(f"{kind} {', '.join(ids)}" for kind, ids in names.items() if ids)


def difference(now: SiteConfig, wanted: SiteConfig) -> Difference:
    """The changes that turn the running configuration ``now`` into ``wanted``."""
    before, after = now.cameras, wanted.cameras
    differing = [name for name in (*after, *before) if before.get(name) != after.get(name)]
    fixed = {name for name in differing if not _can_change(before.get(name), after.get(name))}
    live = [name for name in dict.fromkeys(differing) if name not in fixed]
    kept = {name: before[name] for name in before if name not in live}
    cameras = {**kept, **{name: after[name] for name in live if name in after}}
    # A link must not name a removed camera.
    links = [link for link in now.camera_links if cameras.keys() >= set(link.between)]
    return Difference(
        config=now.model_copy(update={"cameras": cameras, "camera_links": links}),
        added=tuple(name for name in live if name not in before),
        removed=tuple(name for name in live if name not in after),
        changed=tuple(name for name in live if name in before and name in after),
        restart=(*(f"cameras.{name}" for name in sorted(fixed)), *_others(now, wanted, links)),
    )


def _others(now: SiteConfig, wanted: SiteConfig, links: list[CameraLink]) -> list[str]:
    running = now.model_copy(update={"camera_links": links})
    names = [name for name in SiteConfig.model_fields if name != "cameras"]
    return [name for name in names if getattr(running, name) != getattr(wanted, name)]


def _can_change(before: CameraConfig | None, after: CameraConfig | None) -> bool:
    """Whether a camera can change while running: recordings, merged by time, cannot."""
    return all(is_live_camera(camera) for camera in (before, after) if camera is not None)


_POLL_S = 1.0
_APPLIED_S = 10.0

_log = logging.getLogger(__name__)


class SiteFile:
    """A configuration file whose changes are detected by content; ``load`` parses it.

    Without ``watched`` it is read again only on request.
    """

    def __init__(self, path: Path, load: Callable[[], SiteConfig], *, watched: bool = True) -> None:
        self.path = path
        self._load = load
        self._watched = watched
        self._read = self._last_seen = self._content()

    def has_changed(self) -> bool:
        """Whether the content differs from the last read and is the same as at the last call.

        Saving may take a moment: a half-written file must not close half of the cameras.
        """
        before, self._last_seen = self._last_seen, self._content()
        return self._watched and self._last_seen == before != self._read

    def read(self) -> SiteConfig:
        """Load the configuration. Raises UserError for the first fault."""
        self._read = self._last_seen = self._content()
        if not self._read:
            raise UserError(f"{self.path} is empty or cannot be read: expected a configuration")
        return self._load()

    def _content(self) -> bytes:
        """Hash of the content; empty for a file that is empty or cannot be read."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return b""
        return hashlib.sha256(content).digest() if content.strip() else b""


class Reload:
    """Applies changes of the site file to a running site that was started with ``config``.

    ``check`` raises UserError for an invalid configuration; ``apply`` applies a difference as a
    whole or raises UserError.
    """

    def __init__(
        self,
        file: SiteFile,
        config: SiteConfig,
        check: Callable[[SiteConfig], None],
        apply: Callable[[Difference], None],
    ) -> None:
        self._file = file
        self._config = config
        self._check = check
        self._apply = apply

    def poll(self, *, requested: bool = False) -> None:
        """Read the file if it has changed or a reload was ``requested``; logs the outcome."""
        if not (self._file.has_changed() or requested):
            return
        try:
            self._follow(self._file.read())
        except UserError as error:
            _log.warning("%s. The site continues unchanged", str(error).rstrip("."))

    def _follow(self, wanted: SiteConfig) -> None:
        self._check(wanted)
        found, name = difference(self._config, wanted), self._file.path.name
        if found.opened or found.closed:
            self._apply(found)
            _log.warning("%s: %s", name, found)
        self._config = found.config
        if found.restart:
            _log.warning("%s: %s changed: restart to apply", name, ", ".join(found.restart))


@contextmanager
def follow_file(
    file: SiteFile | None,
    config: SiteConfig,
    requested: threading.Event,
    check: Callable[[SiteConfig], None],
    apply: Callable[[Difference], None],
) -> Iterator[None]:
    """Follow ``file`` during the block, see `Reload`; does nothing without a ``file``."""
    if file is None:
        yield
        return
    with reload_in_background(Reload(file, config, check, apply), requested):
        yield


@contextmanager
def reload_in_background(reload: Reload, requested: threading.Event) -> Iterator[None]:
    """Poll the file in a thread during the block; setting ``requested`` reads it at once."""

    def run(done: threading.Event) -> None:
        while not done.is_set():
            wanted = requested.wait(_POLL_S)
            requested.clear()
            if done.is_set():
                return
            # An internal error must not stop the site, but must be logged.
            try:
                reload.poll(requested=wanted)
            except Exception:  # noqa: BLE001
                _log.exception("reloading the site file failed")

    with in_background("reload", run, wake=requested):
        yield


def wait_until_applied(change: SiteChange, watch: Watch) -> None:
    """Wait until the node has applied ``change`` or has ended; a long wait is logged and reported.

    A node cannot apply a change while it waits for Redis, or while it hangs.
    """
    if change.done.wait(_APPLIED_S):
        return
    text = "the node has not applied the last change of the site file yet"
    watch.faults["change"] = text
    _log.warning("%s, after %g s", text, _APPLIED_S)
    change.done.wait()
    watch.faults.pop("change", None)
    _log.warning("the node is done with the last change of the site file")


def open_change(found: Difference, clock: Callable[[], float] = time.time) -> SiteChange:
    """Open the new cameras of ``found`` and return the change; ``clock`` returns seconds UTC.

    Each camera is contacted once. Raises UserError for an invalid camera address.
    """
    sources = open_live_sources(found.config, found.opened)
    return SiteChange(found.config, found.closed, tuple(sources), clock())
