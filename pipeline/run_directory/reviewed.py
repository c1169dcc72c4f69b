"""RUN/reviewed.jsonl: which events of the run were reviewed, by whom and when.

An event is named by a hash, so nothing in it says who was where.
"""

from pathlib import Path

import msgspec

from pipeline.run_directory.durable import append_line, read_lines

_NAME = "reviewed.jsonl"


class ReviewMark(msgspec.Struct, frozen=True):
    """``by`` has ``reviewed`` the event ``id``, or taken that back, ``at`` seconds UTC."""

    id: str
    reviewed: bool
    by: str
    at: float


def append_mark(folder: Path, mark: ReviewMark) -> None:
    """Add a mark in the run directory ``folder``. Raises OSError."""
    append_line(folder / _NAME, msgspec.json.encode(mark).decode())


def read_marks(folder: Path) -> dict[str, ReviewMark]:
    """The last mark of each event of the run directory ``folder``, by its id."""
    return {mark.id: mark for mark in read_lines(folder / _NAME, ReviewMark)}
