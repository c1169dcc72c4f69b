"""Retries while Redis is unavailable or full."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from pipeline.bus.connection import BusLostError

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# Shorter waits are counted but not logged.
_QUIET_S = 1.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Retry:
    """Repeats calls until Redis is available; ``waits`` counts how often it was not.

    ``clock`` returns monotonic seconds. Once ``stop`` is set, waiting ends with the BusLostError.
    ``on_wait`` is called before each repeated try.
    """

    def __init__(
        self,
        stop: threading.Event,
        clock: Callable[[], float],
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.waits = 0
        self._stop = stop
        self._clock = clock
        self._on_wait = on_wait

    def call(self, function: Callable[[], T]) -> T:
        """Return the result of ``function``; while Redis is lost, the same call is repeated."""
        try:
            return function()
        except BusLostError as lost:
            return self._repeat(function, lost)

    def restart(self, function: Callable[[], T], probe: Callable[[], object]) -> T:
        """Return the result of ``function``; when Redis is lost, wait until ``probe`` succeeds and
        start ``function`` again.
        """
        while True:
            try:
                return function()
            except BusLostError as lost:
                self._repeat(probe, lost)

    def _repeat(self, function: Callable[[], T], lost: BusLostError) -> T:
        self.waits += 1
        since, pause_s, warned = self._clock(), _FIRST_WAIT_S, False
        while not self._stop.wait(pause_s):
            self._on_wait()
            try:
                result = function()
            except BusLostError as error:
                lost, pause_s = error, min(2 * pause_s, _LONGEST_WAIT_S)
                if not warned and self._clock() - since >= _QUIET_S:
                    warned = True
                    _log.warning("%s; waiting for Redis, outage %d", lost, self.waits)
            else:
                if warned:
                    _log.warning("Redis is available again after %.1f s", self._clock() - since)
                return result
        raise lost
