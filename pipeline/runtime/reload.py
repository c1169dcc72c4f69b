"""The file of a running site: read again when it changes or somebody asks, and checked whole."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.schema import CameraConfig, CameraLink, SiteConfig
from pipeline.errors import UserError
from pipeline.node.changes import SiteChange
from pipeline.sources.open import open_live_sources
from pipeline.sources.source_kinds import _is_live


@dataclass(frozen=True, slots=True)
class Difference:
    """Live cameras by name that come, go and come anew; ``config`` is the site with them.

    ``restart`` names what else differs and is not in ``config``.
    """

    config: SiteConfig
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    @property
    def opened(self) -> tuple[str, ...]:
        """The cameras that are opened."""
        return self.added + self.changed

    @property
    def closed(self) -> tuple[str, ...]:
        """The cameras that are closed."""
        return self.removed + self.changed

    def __str__(self) -> str:
        names = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return "; ".join(f"{kind} {', '.join(them)}" for kind, them in names.items() if them)


def difference(now: SiteConfig, wanted: SiteConfig) -> Difference:
    """What to do to a site that runs as ``now`` for it to be as ``wanted``."""
    before, after = now.cameras, wanted.cameras
    differing = [name for name in (*after, *before) if before.get(name) != after.get(name)]
    fixed = {name for name in differing if not _can_change(before.get(name), after.get(name))}
    loose = [name for name in dict.fromkeys(differing) if name not in fixed]
    kept = {name: before[name] for name in before if name not in loose}
    cameras = {**kept, **{name: after[name] for name in loose if name in after}}
    # A link must not name a camera that has gone.
    links = [link for link in now.camera_links if cameras.keys() >= set(link.between)]
    return Difference(
        config=now.model_copy(update={"cameras": cameras, "camera_links": links}),
        added=tuple(name for name in loose if name not in before),
        removed=tuple(name for name in loose if name not in after),
        changed=tuple(name for name in loose if name in before and name in after),
        restart=(*(f"cameras.{name}" for name in sorted(fixed)), *_others(now, wanted, links)),
    )


def _others(now: SiteConfig, wanted: SiteConfig, links: list[CameraLink]) -> list[str]:
    running = now.model_copy(update={"camera_links": links})
    names = [name for name in SiteConfig.model_fields if name != "cameras"]
    return [name for name in names if getattr(running, name) != getattr(wanted, name)]


def _can_change(before: CameraConfig | None, after: CameraConfig | None) -> bool:
    """Recordings are played in one order of time from the start on: none can come or go."""
    return all(_is_live(camera) for camera in (before, after) if camera is not None)


_POLL_S = 1.0

_log = logging.getLogger(__name__)


class SiteFile:
    """A configuration file as it was when this was made, and how to ``load`` it.

    Without ``watched`` it is read again only when somebody asks.
    """

    def __init__(self, path: Path, load: Callable[[], SiteConfig], *, watched: bool = True) -> None:
        self.path = path
        self._load = load
        self._watched = watched
        self._read = self._looked = self._content()

    def has_changed(self) -> bool:
        """Whether it holds something else than when it was last read, and has for one look.

        Who saves a file may take a moment: half of it must not close half of the cameras.
        """
        before, self._looked = self._looked, self._content()
        return self._watched and self._looked == before != self._read

    def read(self) -> SiteConfig:
        """The configuration in it. Raises UserError for the first fault."""
        self._read = self._looked = self._content()
        if not self._read:
            raise UserError(f"{self.path} is empty or cannot be read: expected a configuration")
        return self._load()

    def _content(self) -> bytes:
        """What stands for the content; empty for a file that is empty or cannot be read."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return b""
        return hashlib.sha256(content).digest() if content.strip() else b""


class Reload:
    """Brings a running site, which began with ``config``, to what its file says.

    ``check`` raises UserError for what is wrong with a configuration; ``apply`` does what can be
    done, all of it or nothing with a UserError.
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

    def look(self, *, asked: bool = False) -> None:
        """Read the file when it has changed or somebody ``asked``, and say what came of it."""
        if not (self._file.has_changed() or asked):
            return
        try:
            self._follow(self._file.read())
        except UserError as error:
            _log.warning("%s. The site goes on as it was", str(error).rstrip("."))

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
def following(
    file: SiteFile | None,
    config: SiteConfig,
    asked: threading.Event,
    check: Callable[[SiteConfig], None],
    apply: Callable[[Difference], None],
) -> Iterator[None]:
    """See `Reload` and `reloading`; without a ``file`` nothing is followed."""
    if file is None:
        yield
        return
    with reloading(Reload(file, config, check, apply), asked):
        yield


@contextmanager
def reloading(reload: Reload, asked: threading.Event) -> Iterator[None]:
    """Follow the file while the block runs; setting ``asked`` has it read at once."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            wanted = asked.wait(_POLL_S)
            asked.clear()
            if done.is_set():
                return
            # A fault of ours must not end the site, and not be silent.
            try:
                reload.look(asked=wanted)
            except Exception:  # noqa: BLE001
                _log.exception("the site's file could not be followed")

    thread = threading.Thread(target=work, name="reload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        asked.set()
        thread.join()


def opened(found: Difference, clock: Callable[[], float] = time.time) -> SiteChange:
    """The change that makes ``found`` true, its cameras called once; ``clock`` gives seconds UTC.

    Raises UserError for an address that cannot be a camera's.
    """
    sources = open_live_sources(found.config, found.opened)
    return SiteChange(found.config, found.closed, tuple(sources), clock())
