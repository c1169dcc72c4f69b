"""The lines that forked commands run, where slipcover measures those of the tests."""

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Any

import slipcover
from slipcover import pytest_plugin

#: How often a line runs until slipcover takes its probes out, and with them all others that have
#: run. It looks through every class and function then: at its own 50, a fifth of the tests' time.
_RUNS = 10_000


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


def spare_searches() -> None:
    """Let slipcover in a process of pytest-xdist take out probes less often."""
    if pytest_plugin._slipcover_instance is not None:
        pytest_plugin._slipcover_instance.d_miss_threshold = _RUNS


def measure() -> slipcover.Slipcover | None:
    """Measure what is imported from now on; None where the tests are not measured either."""
    if "SLIPCOVER_COVERAGE_DIR" not in os.environ:
        return None
    spare_frames()
    source = os.environ["SLIPCOVER_SOURCE"].split(",")
    lines = slipcover.Slipcover(source=source, d_miss_threshold=_RUNS)
    # For the life of the process.
    slipcover.ImportManager(lines, slipcover.FileMatcher(sources=source)).__enter__()
    return lines


def keep_at_end(lines: slipcover.Slipcover) -> None:
    """When this process ends, by itself or by `os._exit`, leave what it ran to be merged."""
    lines.signal_child_process()
    folder, leave = Path(os.environ["SLIPCOVER_COVERAGE_DIR"]), os._exit

    def keep() -> None:
        seen: dict[str, set[int]] = {}
        for found in (lines.newly_seen, lines.all_seen):
            for file, numbers in found.items():
                seen[file] = seen.get(file, set()) | (numbers & lines.code_lines[file])
        files = {
            file: {"executed_lines": sorted(numbers), "missing_lines": []}
            for file, numbers in seen.items()
        }
        meta = {"software": "slipcover", "branch_coverage": False, "show_contexts": False}
        # The tests' own files are named after their processes, gw0 and so on; all are merged.
        path = folder / f"coverage-gw-{os.getpid()}.json"
        # A kill may come at any time.
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"meta": meta, "files": files}))
        partial.replace(path)

    def exit_now(code: int) -> Any:
        keep()
        leave(code)

    atexit.register(keep)
    os._exit = exit_now  # type: ignore[assignment]
