"""Live cameras of which nothing comes, because their node died or is cut off: nobody waits long."""

import logging
from collections.abc import Callable, Iterable

_log = logging.getLogger(__name__)


class Silence:
    """Which of the cameras ``live`` have been silent for ``after_s`` while others were not.

    A node tells of a live camera all the time, also of one that is lost. ``clock`` gives seconds
    that only move forward; at the start all count as just heard. Recordings may take their time.
    """

    def __init__(self, live: Iterable[str], after_s: float, clock: Callable[[], float]) -> None:
        self.cameras: frozenset[str] = frozenset()
        self._after_s = after_s
        self._clock = clock
        self._heard = dict.fromkeys(live, clock())

    def live(self) -> list[str]:
        """The live cameras that are known."""
        return sorted(self._heard)

    def heard(self, camera_id: str) -> None:
        """Something came of a camera."""
        if camera_id in self._heard:
            self._heard[camera_id] = self._clock()
        if camera_id in self.cameras:
            self.cameras -= {camera_id}
            _log.warning("camera %s: its node is heard again", camera_id)

    def joined(self, camera_id: str) -> None:
        """A live camera takes part from now on."""
        self._heard[camera_id] = self._clock()

    def look(self, running: Iterable[str]) -> None:
        """See who is silent, once all that has come is read; ``running`` have not ended."""
        waited_for = set(running)
        since = self._clock() - self._after_s
        silent = {c for c in waited_for if c in self._heard and self._heard[c] <= since}
        if silent == waited_for:
            return
        fresh = sorted(silent - self.cameras)
        if fresh:
            _log.warning(
                "nothing came of camera %s for %g s: is its node at work? Going on without it",
                ", ".join(fresh),
                self._after_s,
            )
        self.cameras = frozenset(silent)
