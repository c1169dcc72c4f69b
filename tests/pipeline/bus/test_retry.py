import logging
import threading
from collections.abc import Callable
from itertools import count

import pytest

from pipeline.bus.connection import BusLostError
from pipeline.bus.retry import Retry
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
    """Something that works after so many times."""
    left = iter(range(times))

    def work() -> str:
        if next(left, None) is not None:
            raise BusLostError("Redis is away")
        return "done"

    return work


def seconds(step: float) -> Callable[[], float]:
    return map(float, count(0, step)).__next__  # type: ignore[arg-type]


def test_what_works_is_done_once_and_nobody_waits() -> None:
    patience = Retry(Stop(), seconds(1))
    assert patience.insist(failing(0)) == "done"
    assert patience.waits == 0


def test_it_is_done_again_with_longer_pauses_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    stop = Stop()
    patience = Retry(stop, seconds(0.7))
    with caplog.at_level(logging.WARNING):
        assert patience.insist(failing(8)) == "done"
        assert patience.insist(failing(1)) == "done"
    assert patience.waits == 2
    assert stop.pauses[:8] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    # The second wait was too short to tell.
    assert [message.split(",")[0] for message in caplog.messages] == [
        "Redis is away; waiting for it",
        "Redis is back",
    ]


def test_stop_ends_it_with_what_is_wrong() -> None:
    patience = Retry(Stop(3), seconds(1))
    with pytest.raises(BusLostError, match="away"):
        patience.insist(failing(10))


def test_what_will_not_get_better_is_raised_at_once() -> None:
    def wrong() -> None:
        raise UserError("wrong password")

    with pytest.raises(UserError, match="wrong password"):
        Retry(Stop(), seconds(1)).insist(wrong)


def test_a_service_begins_anew_once_redis_answers() -> None:
    done: list[str] = []
    service, probe = failing(2), failing(3)

    def work() -> str:
        done.append("begun")
        return service()

    patience = Retry(Stop(), seconds(1))
    assert patience.survive(work, lambda: done.append(probe())) == "done"
    assert done == ["begun", "done", "begun", "done", "begun"]
    assert patience.waits == 2
