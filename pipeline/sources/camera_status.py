"""The status of a live camera: its state with a reason, its counters and its clock.

Only the camera's own thread writes, except for ``late`` and ``spacing_s``; any thread may read.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Literal

from pipeline.config.schema import LiveConfig

CameraState = Literal["connecting", "live", "stalled", "lost"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Phase:
    """A state and its reason (may be empty); ``since`` is seconds UTC."""

    state: CameraState
    reason: str
    since: float

    @property
    def text(self) -> str:
        """The state and its reason; empty for a live camera."""
        if self.state == "live":
            return ""
        return f"{self.state}: {self.reason}" if self.reason else self.state


class CameraStatus:
    """State and counters of one live camera; ``clock`` returns seconds UTC.

    ``frames`` counts frames delivered, ``dropped`` frames discarded because of a backlog, ``late``
    frames that reached the node too late, ``damaged`` frames that could not be decoded completely,
    ``shed`` frames left out by an overloaded node, which sets ``spacing_s``: the least time between
    frames that it wants. ``connections`` successful connections. ``timestamp_origin`` is the source
    of the last frame's timestamp (rtcp or arrival), ``delay_s`` the time from that timestamp to the
    frame's arrival by this computer's clock. Set ``closing`` to end the camera.
    """

    def __init__(self, camera_id: str, config: LiveConfig, clock: Callable[[], float]) -> None:
        self.camera_id = camera_id
        self.frames = self.dropped = self.late = self.damaged = self.connections = self.shed = 0
        self.spacing_s = 0.0
        self.timestamp_origin: Literal["rtcp", "arrival"] = "arrival"
        self.delay_s = 0.0
        self.closing = Event()
        self._config = config
        self._clock = clock
        self._last_frame = clock()
        self._phase = Phase("connecting", "", self._last_frame)
        self._loss_logged = False

    @property
    def received(self) -> int:
        """Number of frames that came, also those that were not used."""
        return self.frames + self.dropped

    @property
    def unused(self) -> int:
        """Number of frames that were too many or too late."""
        return self.dropped + self.late + self.shed

    def phase(self) -> Phase:
        """The current state; a live camera that has sent no frame for ``late_s`` is stalled."""
        phase = self._phase
        if phase.state == "live" and self._clock() - self._last_frame >= self._config.late_s:
            return Phase("stalled", "connected, but sends no frame", self._last_frame)
        return phase

    def late_before(self) -> float:
        """Frames with a timestamp (seconds UTC) before this one are not waited for any longer."""
        return self._clock() - self.delay_s - self._config.late_s

    def connection_attempted(self) -> None:
        """Record an attempt to connect or to reconnect."""
        if self._phase.state != "lost":
            self._phase = Phase("connecting", "", self._clock())

    def frame_received(self, delay_s: float, origin: Literal["rtcp", "arrival"]) -> None:
        """Record a delivered frame."""
        self.frames += 1
        self.delay_s, self.timestamp_origin = delay_s, origin
        self._last_frame = self._clock()
        if self._phase.state != "live":
            self._log_live(self._last_frame - self._phase.since)
            self._phase = Phase("live", "", self._last_frame)

    def connection_lost(self, reason: str) -> None:
        """Record that there is no connection, and log a new ``reason`` once."""
        phase = self._phase
        if (phase.state, phase.reason) == ("lost", reason):
            return
        since = phase.since if phase.state == "lost" else self._clock()
        self._phase = Phase("lost", reason, since)
        self._loss_logged = True
        self.warn(f"{reason}. Reconnecting")

    def warn(self, text: str) -> None:
        """Log a warning that names the camera."""
        _LOG.warning("camera %s: %s", self.camera_id, text, extra={"camera": self.camera_id})

    def _log_live(self, lost_s: float) -> None:
        if self._loss_logged:
            self.warn(f"live again after {lost_s:.1f} s")
        else:
            _LOG.info("camera %s: live", self.camera_id, extra={"camera": self.camera_id})
        self._loss_logged = False


def retry_delay(
    config: LiveConfig, attempt: int, chance: Callable[[], float] = random.random
) -> float:
    """Seconds to wait after the failed ``attempt``, counted from 0.

    The delay doubles with each attempt, and half of it is random so that cameras that were lost
    together do not all reconnect at the same moment.
    """
    longest = min(config.retry_max_s, config.retry_s * 2.0 ** min(attempt, 60))
    return longest * (0.5 + 0.5 * chance())


def status_of(source: object) -> CameraStatus | None:
    """The status of a live camera; None for every other source."""
    status = getattr(source, "status", None)
    return status if isinstance(status, CameraStatus) else None
