"""Format times, and place them on a time line."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor

_DAY_S = 86_400
# Earlier timestamps are not real times: they count from the start of a video.
_FIRST_REAL_TIME = 366 * _DAY_S
_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, _DAY_S),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of the time axis: its label, and its place from 0 (start) to 1 (end)."""

    label: str
    place: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The time span from ``start`` to ``end``, seconds UTC.

    Times near the epoch come from videos without a start time: they are formatted relative to
    ``start``, real times as UTC.
    """

    start: float
    end: float

    @property
    def relative(self) -> bool:
        """Whether times are formatted relative to the start."""
        return self.start < _FIRST_REAL_TIME

    def place(self, moment: float) -> float:
        """The place of ``moment`` (seconds UTC) on the axis, from 0 (start) to 1 (end)."""
        if self.end <= self.start:
            return 0.0
        return min(max((moment - self.start) / (self.end - self.start), 0.0), 1.0)

    def moment(self, moment: float) -> str:
        """Format a time in full: ``01:02.5`` after the start, or ``2026-05-01 09:01:02.5 UTC``."""
        if self.relative:
            return _minutes(moment - self.start, tenths=True)
        return f"{_utc(moment):%Y-%m-%d %H:%M:%S}.{_tenth(moment)} UTC"

    def time(self, moment: float) -> str:
        """Format a time without its date: ``01:02.5`` after the start, or ``09:01:02``."""
        return self.moment(moment) if self.relative else f"{_utc(moment):%H:%M:%S}"

    def ticks(self, most: int = 8) -> list[Tick]:
        """Ticks at round times, between one and ``most + 1`` of them."""
        step = _step(self.end - self.start, most)
        zero = self.start if self.relative else 0.0
        first = ceil((self.start - zero) / step - 1e-9)
        last = floor((self.end - zero) / step + 1e-9)
        moments = [zero + number * step for number in range(first, last + 1)]
        return [Tick(self._tick_label(moment, step), self.place(moment)) for moment in moments]

    def _tick_label(self, moment: float, step: float) -> str:
        if self.relative:
            return _minutes(moment - self.start, tenths=step < 1)
        time = _utc(moment)
        if step >= _DAY_S:
            return f"{time.day} {time:%b %Y}"
        if step >= 60:
            midnight = time.hour == time.minute == 0
            return f"{time.day} {time:%b}" if midnight else f"{time:%H:%M}"
        return f"{time:%H:%M:%S}" + (f".{_tenth(moment)}" if step < 1 else "")


def duration(seconds: float) -> str:
    """Format a duration: ``1.7 s``, ``4 min 10 s``, ``23 h 59 min``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _step(span_s: float, most: int) -> float:
    for step in _STEPS_S:
        if span_s / step <= most:
            return step
    return float(_DAY_S * ceil(span_s / most / _DAY_S))


def _minutes(seconds: float, tenths: bool) -> str:
    # Rounded to tenths first, so that 59.96 becomes 01:00.0 and not 00:60.0.
    minutes, rest = divmod(max(round(seconds * 10), 0), 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{text}" if hours else text


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(round(moment * 10) // 10, UTC)


def _tenth(moment: float) -> int:
    return round(moment * 10) % 10
