"""WebSockets that only send."""

from collections.abc import Awaitable, Callable

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect


async def send_until_gone(socket: WebSocket, sending: Callable[[], Awaitable[None]]) -> None:
    """Run ``sending`` on an accepted socket until it ends or the client disconnects."""
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            # No message is expected, but a disconnect is only noticed while receiving.
            try:
                while True:
                    await socket.receive_text()
            except (WebSocketDisconnect, KeyError):
                tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        try:
            await sending()
        except (WebSocketDisconnect, RuntimeError):
            # The client disconnected during a send.
            pass
        tasks.cancel_scope.cancel()
