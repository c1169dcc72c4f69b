"""The last events of a site, for any number of readers; none of them is waited for."""

import secrets
import threading
from collections import deque
from itertools import islice

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

Event = dict[str, object]

_MOST = 10_000


class Events:
    """Numbers events and keeps the last ``most``.

    An event's ``id`` is ``RUN-NUMBER``, where RUN stands for this very object: what another process
    has numbered cannot be resumed here. One thread adds, any may read.
    """

    def __init__(self, most: int = _MOST) -> None:
        self.count = 0
        self._name = secrets.token_hex(4)
        self._kept: deque[Event] = deque(maxlen=most)
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Append an event, which is given its ``id``."""
        with self._lock:
            self.count += 1
            self._kept.append({"id": f"{self._name}-{self.count}", **event})

    def forget(self, global_id: int) -> None:
        """Take somebody out of what is kept; the numbers stay."""
        with self._lock:
            for event in self._kept:
                if event.get("global_id") == global_id:
                    kept = {"id": event["id"], "type": "forgotten"}
                    event.clear()
                    event.update(kept)

    def after(self, number: int, most: int) -> tuple[list[Event], int]:
        """At most ``most`` events after number ``number``, and how many are lost before them."""
        with self._lock:
            oldest = self.count - len(self._kept)
            start = max(number, oldest)
            found = islice(self._kept, start - oldest, start - oldest + most)
            return [dict(event) for event in found], start - number

    def position(self, event_id: str) -> int | None:
        """The number of an event's id; None when it is none of ours."""
        name, _, number = event_id.rpartition("-")
        known = name == self._name and number.isascii() and number.isdigit()
        # A long row of digits is refused by int() itself.
        if not known or len(number) > 18 or int(number) > self.count:
            return None
        return int(number)


_POLL_S = 0.05
_AT_ONCE = 100


async def send_events(
    socket: WebSocket, events: Events, after: str | None, stop: threading.Event
) -> None:
    """Send events as they come, until the listener goes or ``stop`` is set.

    With ``after``, the id of an event, it begins behind that one, else with the next. Who is too
    slow is told that events were missed and goes on with the oldest that is kept.
    """
    await socket.accept()
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            # Nothing is expected; but only who listens hears that the other one is gone.
            try:
                while True:
                    await socket.receive_text()
            except (WebSocketDisconnect, KeyError):
                tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        try:
            await _send_all(socket, events, after, stop)
        except (WebSocketDisconnect, RuntimeError):
            # It went while we sent.
            pass
        tasks.cancel_scope.cancel()


async def _send_all(
    socket: WebSocket, events: Events, after: str | None, stop: threading.Event
) -> None:
    position = events.count if after is None else events.position(after)
    if position is None:
        # Another process has numbered it, before this one was started.
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
