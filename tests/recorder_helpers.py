"""What the tests of a recorder share: an empty run directory, a clock, and a crash."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.run_directory import compaction, rewriting


def new_run(folder: Path) -> Path:
    """``folder`` as a run leaves it before it records."""
    folder.mkdir()
    (folder / "config.yaml").write_text("site: test\n")
    return folder


def ticking() -> Callable[[], float]:
    """A clock that is a second further whenever somebody looks."""
    return map(float, count()).__next__


class CrashError(Exception):
    """The machine crashed."""


def crashed(step: int, work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do ``work`` with a crash before its ``step``-th change on disk; whether it came so far."""
    steps = count(1)

    def dying(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if next(steps) == step:
                raise CrashError
            return change(*arguments)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying(Path.replace))
        patched.setattr(rewriting, "remove", dying(rewriting.remove))
        patched.setattr(compaction, "drop", dying(compaction.drop))
        try:
            work()
        except CrashError:
            return True
    return False
