"""Compaction while a site is recorded: a little after each closed segment."""

import logging
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.run_directory.compaction import clean, compact, due, tables_of

# So long at a time: what is not done is done after the next segment.
_MOST_S = 1.0

_log = logging.getLogger(__name__)


class Compaction:
    """Puts the segments of the run directory ``folder`` together; its recorder is the only writer.

    What cannot be read or written stays as it is, with a warning, and the rest goes on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_clean = False
        self._waiting: list[tuple[list[Path], pa.Schema]] = []
        # Folders that cannot be written to, and segments of which one is damaged.
        self._failed: set[Path] = set()

    def run(self, alive: Callable[[], None], clock: Callable[[], float]) -> None:
        """Put segments together for about a second of ``clock``; ``alive`` is called all along."""
        began = clock()
        try:
            if not self._is_clean:
                clean(self._folder)
                self._is_clean = True
        except OSError as error:
            _log.warning("cannot clean up %s: %s", self._folder, error.strerror or error)
            return
        if not self._waiting:
            self._waiting = [
                (paths, schema)
                for folder, schema in tables_of(self._folder).items()
                if folder not in self._failed
                for paths in due(folder, without=self._failed)
            ]
        while self._waiting and clock() - began < _MOST_S:
            self._compact(*self._waiting.pop(0), alive)

    def _compact(self, paths: list[Path], schema: pa.Schema, alive: Callable[[], None]) -> None:
        # Retention may have deleted some since they were listed.
        paths = [path for path in paths if path.exists()]
        if len(paths) < 2 or paths[0].parent in self._failed:
            return
        try:
            compact(paths, schema, alive)
        except UserError as error:
            self._failed.update(paths)
            _log.warning("%s. %d segments stay as they are", error, len(paths))
        except OSError as error:
            folder = paths[0].parent
            self._failed.add(folder)
            _log.warning("%s is compacted no more until a restart: %s", folder, error)
