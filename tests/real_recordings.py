"""What the tests of a recorder begin with: an empty run directory and a clock."""

from collections.abc import Callable
from itertools import count
from pathlib import Path


def new_run(folder: Path) -> Path:
    """``folder`` as a run leaves it before it records."""
    folder.mkdir()
    (folder / "config.yaml").write_text("site: test\n")
    return folder


def ticking() -> Callable[[], float]:
    """A clock that is a second further whenever somebody looks."""
    return map(float, count()).__next__
