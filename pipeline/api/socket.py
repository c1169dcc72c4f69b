"""Events over a WebSocket, at the pace of who listens."""

import threading

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline.api.events import Events

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
