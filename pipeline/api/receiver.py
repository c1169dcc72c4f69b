"""What everything that events are sent to has in common: its place in them, and its thread."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable

from pipeline.api.events import Event, Events, is_wanted

_AT_ONCE = 100

_log = logging.getLogger(__name__)


class Receiver:
    """A receiver's place in ``events``, from the next one on.

    ``name`` stands in the log; of other ``types``, where there are any, nothing is sent. Each has
    its own place, so one that is slow or away holds up nothing else.
    """

    def __init__(self, name: str, events: Events, types: Collection[str]) -> None:
        self._name = name
        self._events = events
        self._types = types
        self._position = events.count

    @property
    def left(self) -> int:
        """How many events are still to come."""
        return self._events.count - self._position

    def step(self, send: Callable[[Event], None]) -> int:
        """``send`` the next events, if there are any; returns how many there were."""
        found, missed = self._events.after(self._position, _AT_ONCE)
        if missed:
            _log.warning("%s: too slow, missed %d events", self._name, missed)
            send({"type": "missed", "count": missed})
        for event in found:
            if is_wanted(event, self._types):
                send(event)
        self._position += missed + len(found)
        return len(found)


def start_threads(name: str, runs: Iterable[Callable[[], None]]) -> list[threading.Thread]:
    """Run each in a thread of its own, which is called by ``name`` and a number."""
    threads = [
        threading.Thread(target=run, name=f"{name} {number}", daemon=True)
        for number, run in enumerate(runs, start=1)
    ]
    for thread in threads:
        thread.start()
    return threads
