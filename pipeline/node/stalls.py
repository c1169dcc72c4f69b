"""Reports a recording whose next frame does not come, as from a network drive that is away."""

import logging
import time
from collections.abc import Callable

from pipeline.monitoring.watch import Watch

# Slow decoding of a large frame takes less.
_STALLED_S = 10.0

_KIND = "recording"

_log = logging.getLogger(__name__)


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
