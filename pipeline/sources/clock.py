"""When a frame of a live camera was taken, in seconds UTC."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

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


TimestampOrigin = Literal["rtcp", "arrival"]

# How much the clock of a camera may drift, seconds a second. Far above any real one's, and too
# little to hide that frames pile up.
_DRIFT = 0.0005
# A correction of the clock is spread: this much a second.
_SLEW = 0.25
# A camera whose clock is further off than this does not know the time.
_TRUSTED_S = 2.0
# Media time that is further ahead than this began anew.
_JUMP_S = 1.0


class ShortestWay:
    """How much later frames arrive than their media time says, at the least.

    The delay of each frame varies; the least delayed ones tell how the two clocks differ.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._arrival = 0.0

    def offset(self, arrival: float, media: float) -> float:
        """What to add to ``media`` for the arrival of a frame that was not held up."""
        offset = arrival - media
        if self._offset is not None:
            offset = min(offset, self._offset + _DRIFT * max(0.0, arrival - self._arrival))
        self._offset, self._arrival = offset, arrival
        return offset

    def lag(self, arrival: float, media: float) -> float:
        """How much longer this frame took than the fastest, seconds."""
        return arrival - media - self.offset(arrival, media)


class CaptureClock:
    """Strictly increasing timestamps out of media times, sender reports and arrivals.

    ``mode`` is camera, arrival, or auto: the camera's own time unless it is more than two seconds
    off, which ``distrusted_s`` then tells. ``origin`` says what the last timestamp is made of.
    """

    def __init__(self, mode: Literal["auto", "camera", "arrival"]) -> None:
        self.origin: TimestampOrigin = "arrival"
        self.distrusted_s: float | None = None
        self.mode = mode
        self._previous: float | None = None
        self.restart()

    def restart(self) -> None:
        """Media time begins anew, as after a new connection; timestamps go on."""
        self._way = ShortestWay()
        self._media: float | None = None
        self._has_media = False
        self._offset: float | None = None
        self._arrival = 0.0

    def at(self, arrival: float, media: float | None, reported: float | None) -> float:
        """The timestamp of the next frame.

        ``arrival`` is seconds UTC by this computer, ``media`` seconds by the stream's own clock,
        ``reported`` seconds UTC by the camera's sender reports; None where there is none.
        """
        usable = self._usable(arrival, media)
        if usable is None and media is not None:
            # Reports are told in media time.
            reported = None
        media = usable
        base = arrival if media is None else media
        estimated = arrival if media is None else media + self._way.offset(arrival, media)
        target = self._chosen(estimated, reported)
        timestamp = base + self._slewed(target - base, arrival)
        if self._previous is not None:
            timestamp = max(timestamp, self._previous + STEP_S)
        self._previous = timestamp
        return timestamp

    def _usable(self, arrival: float, media: float | None) -> float | None:
        """``media``, unless it stands still; where it jumps, what was known of it is forgotten."""
        before, self._media = self._media, media
        if media is not None and before is not None:
            if media == before:
                media = None
            elif not 0 < media - before < arrival - self._arrival + _JUMP_S:
                self._way, self._offset = ShortestWay(), None
        if self._has_media != (media is not None):
            self._has_media, self._offset = not self._has_media, None
        return media

    def _chosen(self, estimated: float, reported: float | None) -> float:
        self.origin, self.distrusted_s = "arrival", None
        if reported is None or self.mode == "arrival":
            return estimated
        if self.mode == "auto" and abs(reported - estimated) > _TRUSTED_S:
            self.distrusted_s = reported - estimated
            return estimated
        self.origin = "rtcp"
        return reported

    def _slewed(self, wanted: float, arrival: float) -> float:
        """The offset now: it goes to ``wanted`` without a jump, unless that is far ahead."""
        before, most = self._offset, _SLEW * max(0.0, arrival - self._arrival)
        if before is None or wanted - before > _JUMP_S:
            offset = wanted
        else:
            offset = before + min(max(wanted - before, -most), most)
        self._offset, self._arrival = offset, arrival
        return offset
