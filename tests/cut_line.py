"""A line to a server that a test can cut and mend, with or without TLS at its near end."""

import asyncio
import ssl
import threading
from collections.abc import Coroutine
from typing import Any

_CHUNK = 65536


class Line:
    """Listens at a port of ``host`` and passes everything on to port ``to`` of 127.0.0.1.

    While it is cut nothing passes, as on a network that loses every packet: nobody is told, what
    was on its way waits, and who connects is not answered. Once it is mended the rest arrives; or,
    with ``drop``, everything that was on its way is lost and all who were connected are told.
    """

    def __init__(self, to: int, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None):
        self.port = 0
        self._to = to
        self._host = host
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()

    def __enter__(self) -> "Line":
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(self, *error: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The address of a Redis behind it."""
        return f"redis{'s' if self._tls else ''}://{self._host}:{self.port}/0"

    def cut(self) -> None:
        """From now on nothing passes."""
        self._do(self._set(passes=False, drop=False))

    def mend(self, *, drop: bool) -> None:
        """Everything passes again."""
        self._do(self._set(passes=True, drop=drop))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _begin(self) -> None:
        self._passes.set()
        self._server = await asyncio.start_server(self._carry, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _set(self, *, passes: bool, drop: bool) -> None:
        if drop:
            for writer in list(self._open):
                writer.transport.abort()
        (self._passes.set if passes else self._passes.clear)()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._passes.wait()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._to)
            self._open.add(far)
            ways = [self._pass(reader, far), self._pass(far_reader, writer)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # one of the ends is gone, or the line is
        finally:
            for end in filter(None, (writer, far)):
                self._open.discard(end)
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._passes.wait()
            writer.write(data)
            await writer.drain()
