"""The HTTP endpoint of a process for metrics and health checks; read-only."""

import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Generic, TypeVar

from pipeline.config.schema import SiteConfig, host_and_port
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Backlog, Watch, backlog_of

# Idle connections are closed after this long.
_IDLE_S = 10.0
_POLL_S = 0.1
_PLAIN = "text/plain; charset=utf-8"
_HOSTS = "ask by address, or name it in service.hosts of the site file"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PageResponse:
    """The response of a page."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _PLAIN


Pages = Mapping[str, Callable[[], PageResponse]]


def plain(text: str, status: HTTPStatus = HTTPStatus.OK) -> PageResponse:
    """A response of one line of text."""
    return PageResponse(f"{' '.join(text.split())}\n".encode(), status)


@contextmanager
def serve(address: str, pages: Pages, names: Collection[str] = ()) -> Iterator[str]:
    """Serve ``pages`` at ``HOST:PORT`` during the block; yields the address with the actual port.

    ``names`` are further names of this machine by which it may be asked, see `is_own_name`. Raises
    UserError when the address cannot be used.
    """
    server = _listen(address, pages, names)
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
    names: Collection[str]

    def handle_error(self, request: object, client_address: object) -> None:
        """Log a client that disconnected."""
        _log.debug("a metrics client disconnected", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(address: str, pages: Pages, names: Collection[str]) -> _Server:
    host, port = host_and_port(address)
    try:
        server = (_Server6 if ":" in host else _Server)((host, port), _Handler)
    except OSError as error:
        raise UserError(
            f"cannot serve metrics at {address}: {error.strerror or error}. Give --metrics (or "
            "service.metrics) an address of this machine with a free port"
        ) from error
    server.pages = pages
    server.names = {host, socket.gethostname(), *names}
    return server


# A name without a dot, or in a domain that cannot be registered.
_UNREGISTRABLE = re.compile(r"[^.]+|.+\.(localhost|local|internal|lan|home\.arpa|svc)")


def is_own_name(host: str, names: Collection[str]) -> bool:
    """Whether the header Host of a request names this machine, so that no web page can ask.

    A page of another site can have its name lead here (DNS rebinding), and would then be allowed
    to read the answer; it cannot have an address, one of ``names``, or a name that cannot
    register.
    """
    name = re.sub(r":\d*$", "", host.strip().lower()).strip("[]").rstrip(".")
    if name in {known.lower() for known in names}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(_UNREGISTRABLE.fullmatch(name))
    return True


class _Handler(BaseHTTPRequestHandler):
    timeout = _IDLE_S
    server: _Server

    def do_GET(self) -> None:
        """Serve a page; the query string is ignored."""
        host = self.headers.get("Host")
        # Only a client that is no browser leaves it out.
        if host is not None and not is_own_name(host, self.server.names):
            self._answer(plain(f"unknown host {host[:80]!r}: {_HOSTS}", HTTPStatus.BAD_REQUEST))
            return
        page = self.server.pages.get(self.path.partition("?")[0])
        known = ", ".join(self.server.pages)
        self._answer(page() if page else plain(f"expected one of {known}", HTTPStatus.NOT_FOUND))

    def _answer(self, answer: PageResponse) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Log at debug level: scrapes come every few seconds."""
        _log.debug(format, *args)


T = TypeVar("T")


class TimedQuery(Generic[T]):
    """Runs a query in a thread of its own with a time limit; at most one runs at a time.

    A stopped Redis answers after half a minute or never; meanwhile no second query is started.
    """

    def __init__(self, query: Callable[[], T], limit_s: float) -> None:
        self._query = query
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._running: _RunningQuery[T] | None = None

    def result(self) -> T:
        """The result. Raises UserError when the query fails or takes more than ``limit_s``."""
        with self._lock:
            if self._running is None or self._running.done.is_set():
                self._running = _RunningQuery(self._query)
            running = self._running
        if not running.done.wait(self._limit_s):
            raise UserError(f"Redis does not answer within {self._limit_s:g} s")
        if running.error is not None:
            raise running.error
        assert running.found is not None
        return running.found


class _RunningQuery(Generic[T]):
    def __init__(self, query: Callable[[], T]) -> None:
        self.done = threading.Event()
        self.found: T | None = None
        self.error: UserError | None = None
        self._query = query
        threading.Thread(target=self._run, name="ask-redis", daemon=True).start()

    def _run(self) -> None:
        try:
            self.found = self._query()
        except UserError as error:
            self.error = error
        finally:
            self.done.set()


def stalled_reason(watch: Watch, stalled_s: float) -> str:
    """The loop that made no step for ``stalled_s`` seconds, as a message; empty if none."""
    now = watch.ticks()
    for loop, step in sorted(watch.steps.copy().items()):
        if now - step >= stalled_s:
            return f"the {loop} made no step for {now - step:.0f} s"
    return ""


def not_ready_reason(watch: Watch, query_redis: Callable[[], object]) -> str:
    """What the process is missing to be ready; empty if nothing. ``query_redis`` raises UserError
    when Redis does not answer.
    """
    if watch.waiting_for or watch.faults:
        return watch.waiting_for or "; ".join(watch.faults.copy().values())
    try:
        query_redis()
    except UserError as error:
        return str(error)
    return ""


# Prometheus and Kubernetes time out after a few seconds, or one.
_REDIS_ANSWERS_S = 0.8


@contextmanager
def serve_metrics(config: SiteConfig, part: str, tally: Tally) -> Iterator[Watch]:
    """Create the watch of a process and serve it during the block at the configured address.

    Raises UserError when the address cannot be used.
    """
    watch = Watch(config)
    if config.service.metrics is None:
        yield watch
        return
    pages, hosts = _pages(config, part, tally, watch), config.service.hosts
    with serve(config.service.metrics, pages, hosts) as address:
        _log.info("metrics at http://%s/metrics", address)
        yield watch


def _pages(config: SiteConfig, part: str, tally: Tally, watch: Watch) -> Pages:
    # Imports prometheus_client only when metrics are served.
    from pipeline.monitoring.metrics import CONTENT_TYPE, Metrics

    backlog: TimedQuery[Backlog] = TimedQuery(lambda: backlog_of(watch.bus), _REDIS_ANSWERS_S)
    metrics = Metrics(config.site, part, watch, people=tally.people, query_redis=backlog.result)
    return {
        "/metrics": lambda: PageResponse(metrics.page(), content_type=CONTENT_TYPE),
        "/healthz": lambda: _status(stalled_reason(watch, config.service.stalled_s)),
        "/readyz": lambda: _status(not_ready_reason(watch, backlog.result)),
    }


def _status(reason: str) -> PageResponse:
    return plain(reason, HTTPStatus.SERVICE_UNAVAILABLE) if reason else plain("ok")
