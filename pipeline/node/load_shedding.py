"""How many of the live cameras' frames a node can follow, and what it sheds when not all of them.

A busy host first leaves out embeddings and then frames, evenly over time and cameras, so that the
delay stays bounded. The frames that are left out, and the delay, are reported for each camera, and
so is a recording whose next frame does not come.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.monitoring.watch import CameraLoad, Watch
from pipeline.sources import Source
from pipeline.sources.camera_status import CameraStatus, status_of

# State is judged over this long.
_PERIOD_S = 2.0
# Overloaded: less than this share of the frames is followed, and fewer than are enough to track.
_ENOUGH_SHARE, _ENOUGH_FPS = 0.7, 8.0
# A node that is busy for less of the time can follow more frames.
_BUSY = 0.7
# The number of periods that must agree before the state changes.
_AGREE_BAD, _AGREE_GOOD = 2, 3
# A source offers this many times the frames that are followed, so that the rate can recover.
_OFFERED = 2.0
# Crops that are embedded for each frame of an overloaded node.
_CROPS_PER_FRAME = 2
# Share of `live.buffer_s` that one batch may take.
_BATCH_SHARE = 1.0
_MEMORY = 0.2

_log = logging.getLogger(__name__)
# Slow decoding of a large frame takes less.
_STALLED_S = 10.0

_KIND = "recording"


@dataclass(slots=True)
class _Period:
    """Frames followed and delays since a camera was last judged; ``agree`` periods contradicted
    its state in a row."""

    received: int
    followed: int = 0
    delay_s: float = 0.0
    overloaded: bool = False
    overloaded_s: float = 0.0
    agree: int = 0


class LoadMeter:
    """Measures the load of a node and decides what to shed.

    ``buffer_s`` is the shortest `live.buffer_s` of its cameras, ``batch`` the largest batch.
    ``clock`` returns monotonic seconds, ``now`` seconds UTC.
    """

    def __init__(
        self,
        watch: Watch,
        batch: int,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._watch = watch
        self._batch = batch
        self._clock = clock
        self._now = now
        self._periods: dict[str, _Period] = {}
        self._judged_at = clock()
        self._is_busy = True
        self._frame_s = self._busy_s = 0.0

    def followed(self, source: Source, captured: float) -> None:
        """Count a frame of a camera, captured at this time (seconds UTC), that was processed."""
        status = status_of(source)
        if status is not None:
            period = self._period(source.camera_id, status)
            period.followed += 1
            # From its arrival: the clock of the camera may be off.
            period.delay_s += max(self._now() - captured - status.delay_s, 0.0)

    def processed(self, frames: int, seconds: float) -> None:
        """Count a batch of ``frames`` that took ``seconds``."""
        self._busy_s += seconds
        if frames:
            each = seconds / frames
            self._frame_s += (_MEMORY if self._frame_s else 1.0) * (each - self._frame_s)

    def batch(self, buffer_s: float | None) -> int:
        """The size of the next batch: one takes at most ``buffer_s``, None without live cameras."""
        if buffer_s is None or not self._frame_s:
            return self._batch
        return max(1, min(self._batch, int(_BATCH_SHARE * buffer_s / self._frame_s)))

    def most_crops(self, frames: int) -> int | None:
        """The most crops to embed for this number of frames; None for all."""
        overloaded = any(period.overloaded for period in self._periods.values())
        return max(frames, 1) * _CROPS_PER_FRAME if overloaded else None

    def judge(self, sources: Iterable[Source]) -> None:
        """Judge the load of the live ``sources``, every two seconds; others are forgotten."""
        elapsed = self._clock() - self._judged_at
        if elapsed < _PERIOD_S:
            return
        self._judged_at += elapsed
        self._is_busy, self._busy_s = self._busy_s >= _BUSY * elapsed, 0.0
        live = {source.camera_id: status_of(source) for source in sources}
        statuses = {name: status for name, status in live.items() if status is not None}
        self._periods = {name: self._period(name, status) for name, status in statuses.items()}
        self._watch.loads = {
            name: self._judged(period, statuses[name], elapsed)
            for name, period in self._periods.items()
        }
        self._report()

    def _period(self, camera_id: str, status: CameraStatus) -> _Period:
        if camera_id not in self._periods:
            self._periods[camera_id] = _Period(status.received)
        return self._periods[camera_id]

    def _judged(self, period: _Period, status: CameraStatus, elapsed: float) -> CameraLoad:
        """The load of a camera over the last ``elapsed`` seconds; starts its next period."""
        sent_fps = max(status.received - period.received, period.followed) / elapsed
        fps = period.followed / elapsed
        delay_s = period.delay_s / period.followed if period.followed else elapsed
        bad = fps < _ENOUGH_SHARE * sent_fps and fps < _ENOUGH_FPS
        period.agree = period.agree + 1 if bad != period.overloaded else 0
        if period.agree >= (_AGREE_BAD if bad else _AGREE_GOOD):
            period.overloaded, period.agree = bad, 0
        period.overloaded_s += elapsed if period.overloaded else 0.0
        status.spacing_s = self._spacing_s(fps) if period.overloaded else 0.0
        period.received, period.followed, period.delay_s = status.received, 0, 0.0
        if not sent_fps:
            delay_s = 0.0
        return CameraLoad(fps, sent_fps, delay_s, period.overloaded, period.overloaded_s)

    def _spacing_s(self, fps: float) -> float:
        """The least time between frames to offer where ``fps`` are followed."""
        spacing_s = 1 / (_OFFERED * max(fps, 0.5))
        # Else a camera with rare keyframes would offer no more than these permanently.
        return spacing_s if self._is_busy else spacing_s / 4

    def _report(self) -> None:
        """Log when the node becomes overloaded and when it no longer is."""
        loads = self._watch.loads
        names = [name for name, load in sorted(loads.items()) if load.overloaded]
        before = self._watch.faults.pop("overload", "")
        if names:
            fps = sum(loads[name].fps for name in names) / len(names)
            sent = sum(loads[name].sent_fps for name in names) / len(names)
            delay_s = max(loads[name].delay_s for name in names)
            text = (
                f"overloaded: of camera {', '.join(names)} {fps:.1f} of {sent:.1f} frames a second "
                f"are followed, {delay_s:.1f} s late"
            )
            self._watch.faults["overload"] = text
            if not before:
                _log.warning(
                    "%s. Expected fewer cameras, fewer frames a second, a smaller "
                    "detector.image_size or a faster device",
                    text,
                )
        elif before:
            _log.warning("no longer overloaded")


class StallReport:
    """Logs a stalled recording once and reports it in ``watch``.

    ``clock`` returns monotonic seconds.
    """

    def __init__(self, watch: Watch, clock: Callable[[], float] = time.monotonic) -> None:
        self._watch = watch
        self._clock = clock
        self._camera_id: str | None = None
        self._since = 0.0

    def update(self, waiting_for: str | None) -> None:
        """Note the recording that is waited for, None for none."""
        now, faults = self._clock(), self._watch.faults
        if waiting_for != self._camera_id:
            if faults.pop(_KIND, ""):
                waited_s = now - self._since
                _log.warning("camera %s: continues after %.0f s", self._camera_id, waited_s)
            self._camera_id, self._since = waiting_for, now
        elif waiting_for is not None and _KIND not in faults and now - self._since >= _STALLED_S:
            faults[_KIND] = (
                f"camera {waiting_for}: its file gives no frame. Check the drive that it is on"
            )
            _log.warning("%s; waiting for it", faults[_KIND])
