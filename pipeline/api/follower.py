"""The thread that reads along for the live API, for as long as that runs."""

import logging
import threading
from collections.abc import Callable

from pipeline.api.site import Site
from pipeline.bus.connection import BusLostError
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.streams import Bus
from pipeline.bus.tail import BEGINNING
from pipeline.errors import UserError

_BLOCK_S = 0.5
_AGAIN_S = 1.0
# Identities first: of what is read at once, a person should be known before she is shown.
_STREAMS = (IDENTITIES, OBSERVATIONS)

_log = logging.getLogger(__name__)


class Follower:
    """Gives ``site`` what is on the streams of ``bus``.

    It reads in no group, so nobody waits for it. What every group had acknowledged before it came
    by is missed; then all is put together anew, from the run directory and from what is still on
    the streams, as when it starts.
    """

    def __init__(self, bus: Bus, site: Site) -> None:
        self.reachable = True
        self._bus = bus
        self._site = site
        self._after: dict[str, str] = {}

    def run(self, stop: threading.Event, on_fault: Callable[[], None]) -> None:
        """Work until ``stop`` is set; ``on_fault`` is told should that end by a fault of ours."""
        try:
            while not stop.is_set():
                self._step_or_wait(stop)
        except BaseException:
            on_fault()
            raise

    def step(self) -> None:
        """Read once. Raises UserError when Redis or the run directory cannot be read."""
        run = self._bus.run() or self._site.run
        if not self._after or run != self._site.run:
            self._begin(run)
        for delivery in self._bus.read_along(self._after, _BLOCK_S):
            if self._site.hear(delivery):
                self._site.events.add({"type": "missed"})
                _log.warning(
                    "%s: too slow, messages of %s were missed", delivery.stream, delivery.sender
                )
                self._begin(run)
                return
            self._after[delivery.stream] = delivery.entry_id
        self._site.tidy()

    def _begin(self, run: str) -> None:
        self._site.begin(run)
        self._after = dict.fromkeys(_STREAMS, BEGINNING)

    def _step_or_wait(self, stop: threading.Event) -> None:
        try:
            self.step()
        except UserError as error:
            if self.reachable:
                _log.warning("%s. Trying again", error)
            self.reachable = not isinstance(error, BusLostError)
            stop.wait(_AGAIN_S)
        else:
            self.reachable = True
