"""The lines of pipeline, reid_model and trackers that tests and forked commands run.

slipcover measures them where ``COUNTED_LINES`` names a folder for what each process counted.
"""

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Any

import slipcover

_SOURCE = ["pipeline", "reid_model", "trackers"]
#: How often a line runs until slipcover takes its probes out, and with them all others that have
#: run. It looks through every class and function then: at its own 50, a fifth of the tests' time.
_RUNS = 10_000
_COUNTED = "COUNTED_LINES"


class _NoFrames:
    """The module `sys`, without the frames that run."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    @staticmethod
    def _current_frames() -> dict[int, Any]:
        return {}


def spare_frames() -> None:
    """Keep slipcover, which also looks for functions in the frames that run, from these.

    Looking at the variables of a frame changes what `locals` gave it before: OpenVINO passes that
    on as arguments. Functions that are in no module are measured a little longer by this.
    """
    slipcover.slipcover.sys = _NoFrames()


class _Counted:
    """What this process counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = slipcover.Slipcover(source=_SOURCE, d_miss_threshold=_RUNS)
        # For the life of the process.
        slipcover.ImportManager(self._lines, slipcover.FileMatcher(sources=_SOURCE)).__enter__()

    def start(self) -> None:
        """Forget what was run before, in the process of which this one is a fork."""
        self._lines.signal_child_process()

    def keep(self) -> None:
        """Leave in the folder what this process ran."""
        seen: dict[str, set[int]] = {}
        for found in (self._lines.newly_seen, self._lines.all_seen):
            for file, numbers in found.items():
                seen[file] = seen.get(file, set()) | (numbers & self._lines.code_lines[file])
        files = {
            file: {"executed_lines": sorted(numbers), "missing_lines": []}
            for file, numbers in seen.items()
        }
        meta = {"software": "slipcover", "branch_coverage": False, "show_contexts": False}
        self._write({"meta": meta, "files": files}, f"{os.getpid()}.json")

    def keep_all(self) -> None:
        """Leave in the folder what this process ran, and what there is to run."""
        self._write(self._lines.get_coverage(), "all.json")

    def _write(self, counted: dict[str, Any], name: str) -> None:
        path = self._folder / name
        # A kill may come at any time.
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(counted))
        partial.replace(path)


_counted: _Counted | None = None


def measure() -> None:
    """Measure what is imported from now on, where it is asked for."""
    global _counted
    if folder := os.environ.get(_COUNTED):
        spare_frames()
        _counted = _Counted(Path(folder))


def keep_all() -> None:
    """At the end of all tests, leave what this process ran, and what there is to run."""
    if _counted is not None:
        _counted.keep_all()


def keep_at_end() -> None:
    """When this fork ends, by itself or by `os._exit`, leave what it ran."""
    if _counted is None:
        return
    counted, leave = _counted, os._exit
    counted.start()

    def exit_now(code: int) -> Any:
        counted.keep()
        leave(code)

    atexit.register(counted.keep)
    os._exit = exit_now  # type: ignore[assignment]
