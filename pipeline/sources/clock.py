"""Timestamps of frames in seconds UTC, for recordings and for live cameras."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from pipeline.config.schema import CameraConfig

#: A frame whose time is not later than that of the frame before is placed this long after it.
STEP_S = 0.001
#: A jump back by more than this means that the clock was reset: time continues where it was.
RESET_S = 1.0
# A first or last time is wrong if it is further away than both this and that many frame intervals.
_FAR_S, _MANY = 10.0, 10
_DAY_S = 86400.0

T = TypeVar("T")


def start_of(config: CameraConfig, metadata: Mapping[str, str]) -> tuple[float, str]:
    """Seconds UTC of the first frame, and where they come from: config, container or epoch."""
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
    # A recorder whose clock was never set writes 1904 or 1970.
    if moment.tzinfo is None or moment.timestamp() < _DAY_S:
        return None
    return moment.timestamp()


class Timeline:
    """Converts the times of a container into strictly increasing timestamps in seconds UTC."""

    def __init__(self, start: float, interval_s: float) -> None:
        self._start = start
        self._interval_s = interval_s
        self._previous: float | None = None
        self._count = 0

    def next_timestamp(
        self, offset_s: float | None, following: Sequence[float | None] | None = None
    ) -> float:
        """The timestamp of the next frame.

        ``offset_s`` is its time since the start; None when the container has none, which places
        the frame one frame interval after the one before. The same applies to an outlier: a time
        inconsistent with the frame before and with ``following``, the times of the next frames
        (None when they are unknown, empty at the end).
        """
        if following is not None and offset_s is not None:
            offset_s = self._plausible(offset_s, [one for one in following if one is not None])
        timestamp = self._next(offset_s)
        self._previous = timestamp
        self._count += 1
        return timestamp

    def _plausible(self, offset_s: float, following: list[float]) -> float | None:
        """``offset_s``, or None for an outlier; the start is moved when that is the first frame."""
        if self._previous is None:
            if following and max(following) < offset_s - RESET_S:
                self._start += self._interval_s - following[0]
                return following[0] - self._interval_s
            return offset_s
        jump_s = offset_s - (self._previous - self._start)
        first_wrong = self._count == 1 and self._is_first_wrong(offset_s, jump_s, following)
        if first_wrong or self._is_set_back(offset_s, jump_s, following):
            self._start -= jump_s - self._interval_s
            return offset_s
        return None if self._is_outlier(offset_s, jump_s, following) else offset_s

    def _is_first_wrong(self, offset_s: float, jump_s: float, following: list[float]) -> bool:
        """Whether the second frame shows that the time of the first was too early by far."""
        close = bool(following) and 0 <= following[0] - offset_s <= RESET_S + 2 * self._interval_s
        return close and jump_s > _FAR_S + _MANY * self._interval_s

    def _is_set_back(self, offset_s: float, jump_s: float, following: list[float]) -> bool:
        """Whether the time is behind the frame before and stays so, as after a joint."""
        behind = jump_s < -2 * self._interval_s and len(following) > 1
        return behind and offset_s < min(following) and max(following) < offset_s - jump_s

    def _is_outlier(self, offset_s: float, jump_s: float, following: list[float]) -> bool:
        """Whether a frame's time jumps by more than `RESET_S` and a following one does not."""
        last_s = offset_s - jump_s
        if jump_s > RESET_S:
            if not following:
                return jump_s > _FAR_S + _MANY * self._interval_s
            return any(last_s <= one < offset_s - RESET_S for one in following)
        return jump_s < -RESET_S and any(
            0 <= one - last_s <= RESET_S + (number + 2) * self._interval_s
            for number, one in enumerate(following)
        )

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


def with_following(items: Iterable[T], count: int) -> Iterator[tuple[T, list[T]]]:
    """Every item with the next ``count`` items, of which there are fewer at the end."""
    held: deque[T] = deque()
    for item in items:
        held.append(item)
        if len(held) > count:
            yield held.popleft(), list(held)
    while held:
        yield held.popleft(), list(held)


TimestampOrigin = Literal["rtcp", "arrival"]

# Maximum drift of a camera clock in seconds per second: far above that of any real clock, yet too
# little to hide a growing backlog of frames.
_DRIFT = 0.0005
# A correction of the clock is spread over time: at most this many seconds per second.
_SLEW = 0.25
# Reports of a camera whose clock is further off than this are rejected.
_TRUSTED_S = 2.0
# Media time that is further ahead than this was restarted.
_JUMP_S = 1.0
# Frames between which this much more time passes here were not delayed: this computer's clock was
# set.
_SET_S = 60.0


class ArrivalOffset:
    """The smallest offset between arrival time and media time of the frames of a stream.

    The delay varies from frame to frame; the frames with the least delay show how far the two
    clocks are apart.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._arrival = 0.0

    def offset(self, arrival: float, media: float) -> float:
        """Seconds to add to ``media`` for the arrival time of a frame that was not delayed."""
        offset = arrival - media
        if self._offset is not None:
            offset = min(offset, self._offset + _DRIFT * max(0.0, arrival - self._arrival))
        self._offset, self._arrival = offset, arrival
        return offset

    def lag(self, arrival: float, media: float) -> float:
        """Seconds by which this frame is later than one with the least delay."""
        return arrival - media - self.offset(arrival, media)


class CaptureClock:
    """Strictly increasing timestamps from media times, sender reports and arrival times.

    ``mode`` is camera, arrival, or auto: the camera's own time unless it is more than two seconds
    off. ``rejected_offset_s`` is then by how much. ``origin`` is the source of the last timestamp.
    """

    def __init__(self, mode: Literal["auto", "camera", "arrival"]) -> None:
        self.origin: TimestampOrigin = "arrival"
        self.rejected_offset_s: float | None = None
        self.mode = mode
        self._previous: float | None = None
        self.restart()

    def restart(self) -> None:
        """Start a new media time, as after a reconnect; timestamps keep increasing."""
        self._arrival_offset = ArrivalOffset()
        self._media: float | None = None
        self._has_media = False
        self._offset: float | None = None
        self._arrival = 0.0

    def next_timestamp(self, arrival: float, media: float | None, reported: float | None) -> float:
        """The timestamp of the next frame.

        ``arrival`` is seconds UTC by this computer's clock, ``media`` seconds by the stream's
        clock, ``reported`` seconds UTC from the camera's sender reports; None if unavailable.
        """
        usable = self._usable(arrival, media)
        if usable is None and media is not None:
            # Without media time a sender report cannot be applied.
            reported = None
        media = usable
        base = arrival if media is None else media
        estimated = (
            arrival if media is None else media + self._arrival_offset.offset(arrival, media)
        )
        target = self._chosen(estimated, reported)
        timestamp = base + self._slewed(target - base, arrival)
        if self._previous is not None and timestamp <= self._previous:
            timestamp = self._continued(timestamp, self._previous + STEP_S)
        self._previous = timestamp
        return timestamp

    def _continued(self, timestamp: float, next_s: float) -> float:
        """``next_s``; a clock that was set back is corrected gradually from there."""
        if self._offset is not None and timestamp < next_s - _JUMP_S:
            self._offset += next_s - timestamp
        return next_s

    def _usable(self, arrival: float, media: float | None) -> float | None:
        """``media``, or None if it stands still; after a jump the learned offsets are reset."""
        before, self._media = self._media, media
        passed = arrival - self._arrival
        if media is not None and before is not None:
            if media == before:
                media = None
            elif media < before or not -_JUMP_S < passed - (media - before) < _SET_S:
                self._arrival_offset, self._offset = ArrivalOffset(), None
        if self._has_media != (media is not None):
            self._has_media, self._offset = not self._has_media, None
        return media

    def _chosen(self, estimated: float, reported: float | None) -> float:
        self.origin, self.rejected_offset_s = "arrival", None
        if reported is None or self.mode == "arrival":
            return estimated
        if self.mode == "auto" and abs(reported - estimated) > _TRUSTED_S:
            self.rejected_offset_s = reported - estimated
            return estimated
        self.origin = "rtcp"
        return reported

    def _slewed(self, wanted: float, arrival: float) -> float:
        """The current offset: it approaches ``wanted`` gradually, unless that is far ahead."""
        before, most = self._offset, _SLEW * max(0.0, arrival - self._arrival)
        if before is None or wanted - before > _JUMP_S:
            offset = wanted
        else:
            offset = before + min(max(wanted - before, -most), most)
        self._offset, self._arrival = offset, arrival
        return offset


# A rate is measured once the frames that were queued while opening are through, over this many
# frames and seconds at least.
_QUEUED_S, _MEASURED_FRAMES, _MEASURED_S = 3.0, 8, 2.0


class FrameRate:
    """Measures the frame rate of a live stream that does not state one."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._began: float | None = None
        self._frames = 0

    def measured(self, timestamp: float) -> float:
        """Frames per second, given the timestamp of the next frame; 0 until they are known."""
        if self._first is None:
            self._first = timestamp
        if timestamp - self._first < _QUEUED_S:
            return 0.0
        if self._began is None:
            self._began = timestamp
            return 0.0
        self._frames += 1
        elapsed_s = timestamp - self._began
        enough = self._frames >= _MEASURED_FRAMES and elapsed_s >= _MEASURED_S
        return self._frames / elapsed_s if enough else 0.0
