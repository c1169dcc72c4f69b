"""The address under which a process answers questions about itself: GET, and nothing to change."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Generic, TypeVar

from pipeline.config.schema import SiteConfig, host_and_port
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Backlog, Watch, backlog_of

# Who connects and says nothing for so long is hung up on.
_SILENCE_S = 10.0
_POLL_S = 0.1
_PLAIN = "text/plain; charset=utf-8"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a page says now."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _PLAIN


Pages = Mapping[str, Callable[[], WebAnswer]]


def plain(text: str, status: HTTPStatus = HTTPStatus.OK) -> WebAnswer:
    """One line of text."""
    return WebAnswer(f"{' '.join(text.split())}\n".encode(), status)


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


T = TypeVar("T")


class Asking(Generic[T]):
    """Puts one question after the other, each in a thread of its own.

    A Redis that is stopped answers after half a minute, or never; meanwhile nothing is asked anew.
    """

    def __init__(self, question: Callable[[], T], limit_s: float) -> None:
        self._question = question
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._asked: _Asked[T] | None = None

    def answer(self) -> T:
        """What Redis says now. Raises UserError when it does not, or not within ``limit_s``."""
        with self._lock:
            if self._asked is None or self._asked.done.is_set():
                self._asked = _Asked(self._question)
            asked = self._asked
        if not asked.done.wait(self._limit_s):
            raise UserError(f"Redis does not answer within {self._limit_s:g} s")
        if asked.error is not None:
            raise asked.error
        assert asked.found is not None
        return asked.found


class _Asked(Generic[T]):
    def __init__(self, question: Callable[[], T]) -> None:
        self.done = threading.Event()
        self.found: T | None = None
        self.error: UserError | None = None
        self._question = question
        threading.Thread(target=self._ask, name="ask-redis", daemon=True).start()

    def _ask(self) -> None:
        try:
            self.found = self._question()
        except UserError as error:
            self.error = error
        finally:
            self.done.set()


def why_not_alive(watch: Watch, stalled_s: float) -> str:
    """Which loop made no step for ``stalled_s`` seconds; empty when each of them goes round."""
    now = watch.ticks()
    for loop, step in sorted(watch.steps.copy().items()):
        if now - step >= stalled_s:
            return f"the {loop} made no step for {now - step:.0f} s"
    return ""


def why_not_ready(watch: Watch, ask_redis: Callable[[], object]) -> str:
    """What is missing before the process can work; ``ask_redis`` raises UserError without one."""
    if watch.waits_for:
        return watch.waits_for
    try:
        ask_redis()
    except UserError as error:
        return str(error)
    return ""


# Prometheus and Kubernetes give up on an answer after some seconds, or one.
_REDIS_ANSWERS_S = 0.8


@contextmanager
def watched(config: SiteConfig, part: str, tally: Tally) -> Iterator[Watch]:
    """The watch of a process; while the block runs, it is shown where ``config`` says.

    Raises UserError when the address cannot be had.
    """
    watch = Watch(config)
    if config.service.metrics is None:
        yield watch
        return
    with served(config.service.metrics, _pages(config, part, tally, watch)) as address:
        _log.info("metrics at http://%s/metrics", address)
        yield watch


def _pages(config: SiteConfig, part: str, tally: Tally, watch: Watch) -> Pages:
    # Its library loads only when somebody may ask.
    from pipeline.monitoring.metrics import CONTENT_TYPE, Metrics

    asking: Asking[Backlog] = Asking(partial(backlog_of, watch), _REDIS_ANSWERS_S)
    metrics = Metrics(config.site, part, watch, people=tally.people, ask_redis=asking.answer)
    return {
        "/metrics": lambda: WebAnswer(metrics.page(), content_type=CONTENT_TYPE),
        "/healthz": lambda: _verdict(why_not_alive(watch, config.service.stalled_s)),
        "/readyz": lambda: _verdict(why_not_ready(watch, asking.answer)),
    }


def _verdict(reason: str) -> WebAnswer:
    return plain(reason, HTTPStatus.SERVICE_UNAVAILABLE) if reason else plain("ok")
