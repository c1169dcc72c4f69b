"""The edge to Redis: how a connection is made, and what its errors become."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.errors import UserError
from pipeline.sources.redact import redact

_CONNECT_S = 5.0
# A busy disk holds Redis up for a while; after this long it is gone.
_ANSWER_S = 30.0


class _HasPlace(Protocol):
    place: str


B = TypeVar("B", bound=_HasPlace)
P = ParamSpec("P")
R = TypeVar("R")


def connect(url: str) -> redis.Redis:
    """A client of the Redis at ``url`` that has answered.

    Raises UserError when there is none; a password never appears in the message.
    """
    if not _is_clear(url):
        raise UserError(
            "cannot read the address of Redis: expected redis://[:PASSWORD@]HOST[:PORT]/DB, "
            "with special characters of the password as %40 for @, %2F for / and %23 for #"
        )
    try:
        client = redis.Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_ANSWER_S,
            # A command whose answer was lost may have been done: a second try could send a
            # message twice, or lose those that the first one read.
            retry=Retry(NoBackoff(), 0),
        )
        client.ping()
    except (redis.RedisError, ValueError, TypeError) as error:
        raise UserError(
            f"cannot use Redis at {redact(url)}: {_one_line(error)}. "
            "Expected a running Redis 6.2 or newer; leave --redis out to use the embedded one"
        ) from None
    return client


def translated(
    method: Callable[Concatenate[B, P], R],
) -> Callable[Concatenate[B, P], R]:
    """A method whose RedisError becomes a UserError that says where."""

    @wraps(method)
    def call(bus: B, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(bus, *args, **kwargs)
        except redis.RedisError as error:
            raise UserError(_failure(bus.place, _one_line(error))) from error

    return call


def _failure(place: str, reason: str) -> str:
    if "No space left on device" in reason:
        return (
            f"the disk of Redis at {place} is full: No space left on device. Free some and run "
            "again; what was recorded up to the last closed segment can be read"
        )
    return f"Redis at {place} failed: {reason}. Expected a Redis 6.2 or newer that stays reachable"


def _is_clear(url: str) -> bool:
    """Whether ``url`` has one meaning.

    An unquoted / or # in a password makes the rest of it look like a host, which errors would name.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return False
    try:
        return urlsplit(url).hostname == urlsplit(redact(url)).hostname
    except ValueError:
        return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
