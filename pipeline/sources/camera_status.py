"""The life of a live camera: its state and the reason, what was counted, and its clock.

The camera's own thread writes all but ``late``, any thread may read.
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
    """A state with its reason (may be empty), since ``since``, seconds UTC."""

    state: CameraState
    reason: str
    since: float

    @property
    def text(self) -> str:
        """The state and its reason; empty for a live camera."""
        if self.state == "live":
            return ""
        return f"{self.state}: {self.reason}" if self.reason else self.state


class Life:
    """What is known of a live camera; ``clock`` gives seconds UTC.

    ``frames`` were given on, ``dropped`` had piled up, ``late`` reached the node after their
    moment had passed, ``damaged`` could not be decoded whole; ``connections`` counts how often it
    answered. ``origin`` says whose time the last frame has (rtcp or arrival) and ``behind_s`` how
    long before its arrival that was, by the clock of this computer. ``closing`` is set when the
    camera is to end.
    """

    def __init__(self, camera_id: str, config: LiveConfig, clock: Callable[[], float]) -> None:
        self.camera_id = camera_id
        self.frames = self.dropped = self.late = self.damaged = self.connections = 0
        self.origin: Literal["rtcp", "arrival"] = "arrival"
        self.behind_s = 0.0
        self.closing = Event()
        self._config = config
        self._clock = clock
        self._seen = clock()
        self._phase = Phase("connecting", "", self._seen)
        self._told = False

    def phase(self) -> Phase:
        """The state now: a live camera that has been silent for too long is stalled."""
        phase = self._phase
        if phase.state == "live" and self._clock() - self._seen >= self._config.late_s:
            return Phase("stalled", "connected, but sends no frame", self._seen)
        return phase

    def passed(self) -> float:
        """The moment, seconds UTC, before which nobody waits for a frame of this camera."""
        return self._clock() - self.behind_s - self._config.late_s

    def connecting(self) -> None:
        """It is called, or called again."""
        if self._phase.state != "lost":
            self._phase = Phase("connecting", "", self._clock())

    def seen(self, behind_s: float, origin: Literal["rtcp", "arrival"]) -> None:
        """A frame was given on."""
        self.frames += 1
        self.behind_s, self.origin = behind_s, origin
        self._seen = self._clock()
        if self._phase.state != "live":
            self._tell_live(self._seen - self._phase.since)
            self._phase = Phase("live", "", self._seen)

    def lost(self, reason: str) -> None:
        """There is no connection, because of ``reason``."""
        phase = self._phase
        if (phase.state, phase.reason) == ("lost", reason):
            return
        since = phase.since if phase.state == "lost" else self._clock()
        self._phase = Phase("lost", reason, since)
        self._told = True
        self.tell(f"{reason}. Trying again")

    def tell(self, text: str) -> None:
        """Warn in the log, with the camera's name."""
        _LOG.warning("camera %s: %s", self.camera_id, text, extra={"camera": self.camera_id})

    def _tell_live(self, lost_s: float) -> None:
        if self._told:
            self.tell(f"live again after {lost_s:.1f} s")
        else:
            _LOG.info("camera %s: live", self.camera_id, extra={"camera": self.camera_id})
        self._told = False


def waits(config: LiveConfig, attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the failed ``attempt``, counted from 0.

    Twice as long each time, and half of it by chance: cameras that were lost together must not
    all come back in one moment.
    """
    longest = min(config.retry_max_s, config.retry_s * 2.0 ** min(attempt, 60))
    return longest * (0.5 + 0.5 * chance())


def life_of(source: object) -> Life | None:
    """The life of a live camera; None for every other source."""
    life = getattr(source, "life", None)
    return life if isinstance(life, Life) else None
