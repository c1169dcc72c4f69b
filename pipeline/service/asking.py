"""Ask Redis something without waiting for it longer than a reader of the answer would."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from pipeline.errors import UserError

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
