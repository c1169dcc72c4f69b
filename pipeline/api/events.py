"""The latest events of a site, for any number of readers, none of which can block it."""

import secrets
import threading
from collections import deque
from collections.abc import Collection
from itertools import islice

import anyio
from starlette.websockets import WebSocket

from pipeline.api.sockets import send_until_gone

Event = dict[str, object]

_MOST = 10_000


class Events:
    """Numbers events and keeps the last ``most``.

    The ``id`` of an event is ``NAME-NUMBER`` with a random NAME for this object, so that ids of
    another process are not resumed here. One thread adds events, any thread may read them.
    """

    def __init__(self, most: int = _MOST) -> None:
        self.count = 0
        self._name = secrets.token_hex(4)
        self._kept: deque[Event] = deque(maxlen=most)
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Append an event and give it an ``id``."""
        with self._lock:
            self.count += 1
            self._kept.append({"id": f"{self._name}-{self.count}", **event})

    def forget(self, global_id: int) -> None:
        """Erase the events of a person; their numbers are kept."""
        with self._lock:
            for event in self._kept:
                of_people = event.get("global_ids")
                among = isinstance(of_people, list) and global_id in of_people
                if among or event.get("global_id") == global_id:
                    kept = {"id": event["id"], "type": "forgotten"}
                    event.clear()
                    event.update(kept)

    def after(self, number: int, most: int) -> tuple[list[Event], int]:
        """At most ``most`` events after ``number``, and the number of lost events before them."""
        with self._lock:
            oldest = self.count - len(self._kept)
            start = max(number, oldest)
            found = islice(self._kept, start - oldest, start - oldest + most)
            return [dict(event) for event in found], start - number

    def position(self, event_id: str) -> int | None:
        """The number in an event id; None for an id of another process or an invalid one."""
        name, _, number = event_id.rpartition("-")
        known = name == self._name and number.isascii() and number.isdigit()
        # int() raises for very long digit strings.
        if not known or len(number) > 18 or int(number) > self.count:
            return None
        return int(number)


def is_wanted(event: Event, types: Collection[str]) -> bool:
    """Whether an event is for a receiver of these ``types``, where none means all.

    That events were missed is for every receiver.
    """
    return not types or event["type"] in types or event["type"] == "missed"


_POLL_S = 0.05
_AT_ONCE = 100


async def send_events(
    socket: WebSocket, events: Events, after: str | None, stop: threading.Event
) -> None:
    """Send events as they occur, until the client disconnects or ``stop`` is set.

    It starts after the event with the id ``after``, by default with the next event. A client that
    is too slow receives a ``missed`` event and continues with the oldest kept event.
    """
    await socket.accept()
    await send_until_gone(socket, lambda: _send_all(socket, events, after, stop))


async def _send_all(
    socket: WebSocket, events: Events, after: str | None, stop: threading.Event
) -> None:
    position = events.count if after is None else events.position(after)
    if position is None:
        # The id is from an earlier process.
        await socket.send_json({"type": "missed"})
        position = 0
    while not stop.is_set():
        found, missed = events.after(position, _AT_ONCE)
        if missed:
            await socket.send_json({"type": "missed", "count": missed})
        for event in found:
            await socket.send_json(event)
        position += missed + len(found)
        if not found:
            await anyio.sleep(_POLL_S)
