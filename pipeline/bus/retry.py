"""Waiting for a Redis that is away or full, instead of giving up."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from pipeline.bus.connection import BusLostError

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# Shorter waits are counted, but nobody has to know of them.
_QUIET_S = 1.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Retry:
    """Does things again until Redis lets them be done; ``waits`` counts how often it did not.

    ``clock`` gives seconds that only move forward. Once ``stop`` is set, waiting ends with the
    BusLostError. ``on_wait`` is told before each try but the first.
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

    def insist(self, work: Callable[[], T]) -> T:
        """What ``work`` returns; when Redis is lost it is done again as it is."""
        try:
            return work()
        except BusLostError as lost:
            return self._again(work, lost)

    def survive(self, work: Callable[[], T], probe: Callable[[], object]) -> T:
        """What ``work`` returns; when Redis is lost it begins anew, once ``probe`` succeeds."""
        while True:
            try:
                return work()
            except BusLostError as lost:
                self._again(probe, lost)

    def _again(self, work: Callable[[], T], lost: BusLostError) -> T:
        self.waits += 1
        since, pause_s, told = self._clock(), _FIRST_WAIT_S, False
        while not self._stop.wait(pause_s):
            self._on_wait()
            try:
                result = work()
            except BusLostError as error:
                lost, pause_s = error, min(2 * pause_s, _LONGEST_WAIT_S)
                if not told and self._clock() - since >= _QUIET_S:
                    told = True
                    _log.warning("%s; waiting for it, time %d", lost, self.waits)
            else:
                if told:
                    _log.warning("Redis is back, %.1f s later", self._clock() - since)
                return result
        raise lost
