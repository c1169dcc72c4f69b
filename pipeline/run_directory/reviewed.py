"""RUN/reviewed.jsonl: which events of the run somebody has looked at, who and when.

An event is named by a hash, so nothing in it says who was where.
"""

from pathlib import Path

import msgspec

from pipeline.run_directory.durable import append_line

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
    path = folder / _NAME
    lines = path.read_bytes().splitlines() if path.is_file() else []
    marks = (mark for line in lines if (mark := _mark_in(line)) is not None)
    return {mark.id: mark for mark in marks}


def _mark_in(line: bytes) -> ReviewMark | None:
    try:
        return msgspec.json.decode(line, type=ReviewMark)
    except msgspec.DecodeError:
        # The last line of a process that was killed may be cut.
        return None
