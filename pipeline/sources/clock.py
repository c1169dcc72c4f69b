"""When a frame of a live camera was taken, in seconds UTC."""

from typing import Literal

from pipeline.sources.timeline import STEP_S

Origin = Literal["rtcp", "arrival"]

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
        self.origin: Origin = "arrival"
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
