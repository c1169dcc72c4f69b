"""The address under which a process answers questions about itself: GET, and nothing to change."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from pipeline.config_service import host_and_port
from pipeline.errors import UserError

# Who connects and says nothing for so long is hung up on.
_SILENCE_S = 10.0
_POLL_S = 0.1
_PLAIN = "text/plain; charset=utf-8"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page says now."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _PLAIN


Pages = Mapping[str, Callable[[], Answer]]


def plain(text: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """One line of text."""
    return Answer(f"{' '.join(text.split())}\n".encode(), status)


@contextmanager
def served(address: str, pages: Pages) -> Iterator[str]:
    """Answer at ``HOST:PORT`` while the block runs; gives the address, with the port that it got.

    Raises UserError when nobody can listen there.
    """
    server = _listen(address, pages)
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True
    )
    thread.start()
    try:
        yield f"{address.rpartition(':')[0]}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    pages: Pages

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has hung up."""
        _log.debug("a reader of the metrics was lost", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(address: str, pages: Pages) -> _Server:
    host, port = host_and_port(address)
    try:
        server = (_Server6 if ":" in host else _Server)((host, port), _Handler)
    except OSError as error:
        raise UserError(
            f"cannot serve metrics at {address}: {error.strerror or error}. Give --metrics (or "
            "service.metrics) an address of this machine with a free port"
        ) from error
    server.pages = pages
    return server


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENCE_S
    server: _Server

    def do_GET(self) -> None:
        """A page, whatever its query says."""
        page = self.server.pages.get(self.path.partition("?")[0])
        known = ", ".join(self.server.pages)
        answer = page() if page else plain(f"expected one of {known}", HTTPStatus.NOT_FOUND)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Being asked every few seconds is no news."""
        _log.debug(format, *args)
