"""Timestamps of one camera: where they start, and that they only ever increase."""

from collections.abc import Mapping
from datetime import datetime

from pipeline.config.schema import CameraConfig

#: A frame that claims the time of the one before it, or an earlier one, is moved this far past it.
STEP_S = 0.001
#: A jump back by more than this is a clock that was set anew: time goes on from where it was.
RESET_S = 1.0
_DAY_S = 86400.0


def start_of(config: CameraConfig, metadata: Mapping[str, str]) -> tuple[float, str]:
    """Seconds UTC of the first frame, and what says so: config, container or epoch."""
    if config.start is not None:
        return config.start.timestamp(), "config"
    created = _creation_time(metadata.get("creation_time", ""))
    if created is not None:
        return created, "container"
    return 0.0, "epoch"


def _creation_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # A recorder whose clock was never set writes the epoch of 1904 or of 1970.
    if moment.tzinfo is None or moment.timestamp() < _DAY_S:
        return None
    return moment.timestamp()


class Timeline:
    """Turns the times of a container into strictly increasing timestamps, in seconds UTC."""

    def __init__(self, start: float, interval_s: float) -> None:
        self._start = start
        self._interval_s = interval_s
        self._previous: float | None = None

    def at(self, offset_s: float | None) -> float:
        """The timestamp of the next frame.

        ``offset_s`` is its time since the start, None when the container has none: then it is one
        frame interval after the one before.
        """
        timestamp = self._next(offset_s)
        self._previous = timestamp
        return timestamp

    def _next(self, offset_s: float | None) -> float:
        previous = self._previous
        if previous is None:
            return self._start + (offset_s or 0.0)
        if offset_s is None:
            return previous + self._interval_s
        timestamp = self._start + offset_s
        if timestamp < previous - RESET_S:
            self._start = previous + self._interval_s - offset_s
            return previous + self._interval_s
        return max(timestamp, previous + STEP_S)
