"""The file of a running site: read again when it changes or somebody asks, and checked whole."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.site_changes import Difference, difference

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
