import threading

import pytest

from pipeline.errors import UserError
from pipeline.monitoring.web import Asking

_PATIENCE_S = 600.0


def test_the_answer_and_the_fault_are_passed_on() -> None:
    assert Asking(lambda: 5, _PATIENCE_S).answer() == 5

    def refused() -> int:
        raise UserError("refused")

    with pytest.raises(UserError, match="refused"):
        Asking(refused, _PATIENCE_S).answer()


def test_every_call_asks_anew() -> None:
    answers = iter((1, 2))
    asking = Asking(lambda: next(answers), _PATIENCE_S)
    assert [asking.answer(), asking.answer()] == [1, 2]


def test_who_does_not_answer_is_asked_once() -> None:
    asked, silent = [], threading.Event()

    def question() -> str:
        asked.append(1)
        silent.wait(_PATIENCE_S)
        return "at last"

    asking = Asking(question, 0.01)
    for _ in range(3):
        with pytest.raises(UserError, match=r"Redis does not answer within 0\.01 s"):
            asking.answer()
    assert len(asked) == 1
    silent.set()
    for thread in threading.enumerate():
        if thread.name == "ask-redis":
            thread.join(_PATIENCE_S)
    assert asking.answer() == "at last"
