"""The lines that forked commands run, where slipcover measures those of the tests."""

import atexit
import json
import os
from pathlib import Path
from typing import Any

import slipcover


def measure() -> slipcover.Slipcover | None:
    """Measure what is imported from now on; None where the tests are not measured either."""
    if "SLIPCOVER_COVERAGE_DIR" not in os.environ:
        return None
    source = os.environ["SLIPCOVER_SOURCE"].split(",")
    lines = slipcover.Slipcover(source=source)
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
