"""Connects to Redis, translates its errors, and retries while it is unavailable or full."""

import logging
import os
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, MasterDownError
from redis.retry import Retry as RedisRetry

from pipeline.bus import cluster
from pipeline.bus.keys import run_key
from pipeline.errors import UserError
from pipeline.sources.redact import redact

_CONNECT_S = 5.0
# A busy disk can block Redis for a while; after this long the connection counts as lost.
_ANSWER_S = 30.0

_log = logging.getLogger(__name__)
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# Shorter waits are counted but not logged.
_QUIET_S = 1.0

T = TypeVar("T")


class BusLostError(UserError):
    """Redis is unavailable, starting or full: the command may or may not have been executed."""


class _HasAddress(Protocol):
    address: str


B = TypeVar("B", bound=_HasAddress)
P = ParamSpec("P")
R = TypeVar("R")


def connect(url: str, site: str) -> redis.Redis:
    """Connect to the Redis at ``url`` and check that it answers.

    In a Redis Cluster the client follows the master that holds the keys of ``site``. Raises
    BusLostError when a later try may succeed, else UserError; a password never appears in the
    message.
    """
    if not _is_unambiguous(url):
        raise UserError(
            "cannot read the address of Redis: expected redis://[USER:PASSWORD@]HOST[:PORT]/DB, or "
            "rediss:// for TLS, with special characters of the password as %40 for @, %2F for / "
            "and %23 for #"
        )
    try:
        client = redis.Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_ANSWER_S,
            # A command whose reply was lost may have been executed: a second try could send a
            # message twice, or lose those that the first one read.
            retry=RedisRetry(NoBackoff(), 0),
        )
        _check_files(client.connection_pool.connection_kwargs)
        client.ping()
        if "path" not in client.connection_pool.connection_kwargs and _is_cluster(client):
            with client as any_node:
                client = cluster.connect_to_master(any_node.connection_pool, run_key(site))
            client.ping()
    except (redis.RedisError, ValueError, TypeError) as error:
        kind = BusLostError if _is_transient(error) and not _is_tls_failure(error) else UserError
        raise kind(
            f"cannot use Redis at {redact(url)}: {_one_line(error)}. "
            "Expected a running Redis 6.2 or newer; omit --redis to use the embedded one"
        ) from None
    return client


def _is_cluster(client: redis.Redis) -> bool:
    return bool(client.info("cluster").get("cluster_enabled"))


def _check_files(settings: Mapping[str, Any]) -> None:
    """Raise UserError naming an unreadable TLS file; the redis library would not name it."""
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        path = settings.get(name)
        if path is not None and not os.access(path, os.R_OK):
            raise UserError(
                f"cannot read {path}, given as {name} in the address of Redis: expected a PEM file"
            )


def _is_tls_failure(error: BaseException) -> bool:
    """Whether client or server rejects the other's certificate: retrying cannot help."""
    cause = error.__cause__ or error.__context__
    if cause is None:
        return False
    disconnected = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return (isinstance(cause, ssl.SSLError) and not disconnected) or _is_tls_failure(cause)


def _is_transient(error: Exception) -> bool:
    if isinstance(error, redis.AuthenticationError):
        return False
    return isinstance(
        error,
        redis.ConnectionError
        | redis.TimeoutError
        # Another client changed the key, or the connection was lost meanwhile.
        | redis.WatchError
        | redis.ReadOnlyError
        | redis.OutOfMemoryError
        | ClusterDownError
        | MasterDownError,
    )


def warn_of_risks(client: redis.Redis, address: str) -> None:
    """Log a warning for each setting of Redis that may lose messages."""
    found = client.info()
    if not found.get("aof_enabled"):
        _log.warning(
            "Redis at %s stores nothing on disk: if it stops, the run is lost. Set `appendonly "
            "yes` and `appendfsync always`",
            address,
        )
    if found.get("maxmemory") and found.get("maxmemory_policy") != "noeviction":
        _log.warning(
            "Redis at %s may drop messages when it is full. Set `maxmemory-policy noeviction`",
            address,
        )


def translated(
    method: Callable[Concatenate[B, P], R],
) -> Callable[Concatenate[B, P], R]:
    """Decorate a method so that a RedisError becomes a UserError with the address of Redis.

    It becomes a BusLostError when a later try may succeed.
    """

    @wraps(method)
    def call(bus: B, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(bus, *args, **kwargs)
        except redis.RedisError as error:
            kind = BusLostError if _is_transient(error) else UserError
            raise kind(_failure(bus.address, _one_line(error))) from error

    return call


def _failure(address: str, reason: str) -> str:
    if "No space left on device" in reason:
        return (
            f"the disk of Redis at {address} is full: No space left on device. Free some space and "
            "run again; what was recorded up to the last closed segment can be read"
        )
    return (
        f"Redis at {address} failed: {reason}. Expected a Redis 6.2 or newer that stays reachable"
    )


def _is_unambiguous(url: str) -> bool:
    """Whether ``url`` can be parsed in one way only.

    After an unquoted / or # in a password, the rest of it would be taken for part of the address
    and would appear in error messages.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return False
    try:
        return urlsplit(url).hostname == urlsplit(redact(url)).hostname
    except ValueError:
        return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


class Retry:
    """Repeats calls until Redis is available; ``waits`` counts how often it was not.

    ``clock`` returns monotonic seconds. Once ``stop`` is set, waiting ends with the BusLostError.
    ``on_wait`` is called before each repeated try.
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

    def call(self, function: Callable[[], T]) -> T:
        """Return the result of ``function``; while Redis is lost, the same call is repeated."""
        try:
            return function()
        except BusLostError as lost:
            return self._repeat(function, lost)

    def restart(self, function: Callable[[], T], probe: Callable[[], object]) -> T:
        """Return the result of ``function``; when Redis is lost, wait until ``probe`` succeeds and
        start ``function`` again.
        """
        while True:
            try:
                return function()
            except BusLostError as lost:
                self._repeat(probe, lost)

    def _repeat(self, function: Callable[[], T], lost: BusLostError) -> T:
        self.waits += 1
        since, pause_s, warned = self._clock(), _FIRST_WAIT_S, False
        while not self._stop.wait(pause_s):
            self._on_wait()
            try:
                result = function()
            except BusLostError as error:
                lost, pause_s = error, min(2 * pause_s, _LONGEST_WAIT_S)
                if not warned and self._clock() - since >= _QUIET_S:
                    warned = True
                    _log.warning("%s; waiting for Redis, outage %d", lost, self.waits)
            else:
                if warned:
                    _log.warning("Redis is available again after %.1f s", self._clock() - since)
                return result
        raise lost
