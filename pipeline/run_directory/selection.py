"""Which part of a run directory is read: a span of time, and cameras."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from pipeline.errors import UserError


@dataclass(frozen=True, slots=True)
class Selection:
    """The times ``since`` <= t < ``until``, seconds UTC, of ``cameras`` (None: of all)."""

    since: float = -math.inf
    until: float = math.inf
    cameras: frozenset[str] | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def has(self, camera_id: str) -> bool:
        """Whether a camera is selected."""
        return self.cameras is None or camera_id in self.cameras

    def holds(self, column: str) -> pl.Expr:
        """Whether the time in ``column``, seconds UTC, is selected."""
        time = pl.col(column)
        return (time >= self.since) & (time < self.until)

    def clipped(self, start: float, end: float) -> tuple[float, float]:
        """The part of a span that is selected, seconds UTC."""
        return max(start, self.since), min(end, self.until)


EVERYTHING = Selection()


def moment(text: str) -> float:
    """Seconds UTC of ``text``: a number of seconds, or a date (ISO 8601, UTC without an offset).

    Raises UserError when it is neither.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = _of_date(text)
    if not math.isfinite(seconds):
        raise _no_moment(text)
    return seconds


def _of_date(text: str) -> float:
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise _no_moment(text) from error


def _no_moment(text: str) -> UserError:
    return UserError(
        f"{text!r} is no time: expected a date such as 2026-01-31 or 2026-01-31T18:30:00 (UTC), or "
        "seconds since 1970"
    )


def selection_of(since: str | None, until: str | None, cameras: list[str] | None) -> Selection:
    """The selection of the options of a command. Raises UserError when no time is left."""
    first = -math.inf if since is None else moment(since)
    last = math.inf if until is None else moment(until)
    if first >= last:
        raise UserError(f"--since {since} is not before --until {until}: no time is between them")
    return Selection(first, last, frozenset(cameras) if cameras else None)
