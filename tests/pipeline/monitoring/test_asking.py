import threading

import pytest

from pipeline.errors import UserError
from pipeline.monitoring.web import TimedQuery

_LIMIT_S = 600.0


def test_the_result_and_the_error_are_passed_on() -> None:
    assert TimedQuery(lambda: 5, _LIMIT_S).result() == 5

    def refused() -> int:
        raise UserError("refused")

    with pytest.raises(UserError, match="refused"):
        TimedQuery(refused, _LIMIT_S).result()


def test_every_call_runs_the_query_again() -> None:
    answers = iter((1, 2))
    query = TimedQuery(lambda: next(answers), _LIMIT_S)
    assert [query.result(), query.result()] == [1, 2]


def test_a_slow_query_is_started_only_once() -> None:
    started, released = [], threading.Event()

    def slow() -> str:
        started.append(1)
        released.wait(_LIMIT_S)
        return "at last"

    query = TimedQuery(slow, 0.01)
    for _ in range(3):
        with pytest.raises(UserError, match=r"Redis does not answer within 0\.01 s"):
            query.result()
    assert len(started) == 1
    released.set()
    for thread in threading.enumerate():
        if thread.name == "ask-redis":
            thread.join(_LIMIT_S)
    assert query.result() == "at last"
