import logging
import threading
from collections.abc import Callable
from itertools import count

import pytest

from pipeline.bus.connection import BusLostError, Retry, warn_of_risks
from pipeline.errors import UserError


class Stop(threading.Event):
    """Set after ``left`` waits, each of which takes no time."""

    def __init__(self, left: int = 10**6) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._left = left

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        if len(self.pauses) > self._left:
            self.set()
        return self.is_set()


def failing(times: int) -> Callable[[], str]:
    """A function that succeeds after ``times`` failures."""
    left = iter(range(times))

    def work() -> str:
        if next(left, None) is not None:
            raise BusLostError("Redis is away")
        return "done"

    return work


def seconds(step: float) -> Callable[[], float]:
    return map(float, count(0, step)).__next__  # type: ignore[arg-type]


def test_a_successful_call_is_made_once_without_waiting() -> None:
    retry = Retry(Stop(), seconds(1))
    assert retry.call(failing(0)) == "done"
    assert retry.waits == 0


def test_a_call_is_repeated_with_longer_pauses_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = Stop()
    retry = Retry(stop, seconds(0.7))
    with caplog.at_level(logging.WARNING):
        assert retry.call(failing(8)) == "done"
        assert retry.call(failing(1)) == "done"
    assert retry.waits == 2
    assert stop.pauses[:8] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    # The second wait was too short to be logged.
    assert [message.split(",")[0] for message in caplog.messages] == [
        "Redis is away; waiting for Redis",
        "Redis is available again after 2.1 s",
    ]


def test_stop_ends_the_wait_with_the_error() -> None:
    retry = Retry(Stop(3), seconds(1))
    with pytest.raises(BusLostError, match="away"):
        retry.call(failing(10))


def test_a_permanent_error_is_raised_at_once() -> None:
    def wrong() -> None:
        raise UserError("wrong password")

    with pytest.raises(UserError, match="wrong password"):
        Retry(Stop(), seconds(1)).call(wrong)


def test_a_service_restarts_once_redis_answers() -> None:
    done: list[str] = []
    service, probe = failing(2), failing(3)

    def work() -> str:
        done.append("started")
        return service()

    retry = Retry(Stop(), seconds(1))
    assert retry.restart(work, lambda: done.append(probe())) == "done"
    assert done == ["started", "done", "started", "done", "started"]
    assert retry.waits == 2


class _Settings:
    """A fake Redis that has these settings."""

    def __init__(self, **settings: object) -> None:
        self._settings = settings

    def info(self) -> dict[str, object]:
        return self._settings


@pytest.mark.parametrize(
    ("limit", "policy", "warned"),
    [
        *((100, policy, True) for policy in ("allkeys-lru", "volatile-ttl", "allkeys-random")),
        (100, "noeviction", False),
        (0, "allkeys-lru", False),
    ],
)
def test_a_redis_that_may_drop_messages_is_named(
    caplog: pytest.LogCaptureFixture, limit: int, policy: str, warned: bool
) -> None:
    settings = _Settings(aof_enabled=1, maxmemory=limit, maxmemory_policy=policy)
    warn_of_risks(settings, "redis://here")  # type: ignore[arg-type]
    assert ("Redis at redis://here may drop messages" in caplog.text) == warned
