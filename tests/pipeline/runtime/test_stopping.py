import signal
import threading

import pytest

from pipeline.runtime import stopping
from pipeline.runtime.stopping import Stop, signals

BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", BOTH)
def test_the_first_signal_stops_the_input_and_the_second_everything(number: int) -> None:
    stop = Stop()
    with signals(stop):
        assert (stop.signal, stop.input.is_set()) == (None, False)
        signal.raise_signal(number)
        assert (stop.signal, stop.input.is_set(), stop.all.is_set()) == (number, True, False)
        signal.raise_signal(number)
        assert stop.all.is_set()


def test_the_last_signal_is_reported() -> None:
    stop = Stop()
    with signals(stop):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert stop.signal == signal.SIGINT
    assert stop.all.is_set()


def test_a_hangup_requests_a_reload_if_there_is_a_file() -> None:
    before = signal.getsignal(signal.SIGHUP)
    stop = Stop()
    with signals(stop):
        assert signal.getsignal(signal.SIGHUP) == before
    with signals(stop, reloads=True):
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == before
    assert (stop.reload.is_set(), stop.input.is_set(), stop.signal) == (True, False, None)


@pytest.mark.parametrize("fails", [False, True])
def test_handlers_are_restored_afterwards(fails: bool) -> None:
    before = [signal.getsignal(number) for number in BOTH]
    stop = Stop()
    try:
        with signals(stop):
            assert signal.getsignal(signal.SIGINT) != before[0]
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert [signal.getsignal(number) for number in BOTH] == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not stop.input.is_set()


def test_stopping_the_input_directly_is_no_signal() -> None:
    stop = Stop()
    stop.input.set()
    assert stop.signal is None


def test_a_storm_of_signals_hangs_nothing() -> None:
    """Each handler interrupts the one before, and whatever the main thread waits for."""
    stop, count, alive = Stop(), 20_000, threading.Event()

    def storm() -> None:
        for _ in range(count):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        alive.set()

    sender = threading.Thread(target=storm)
    with signals(stop):
        sender.start()
        while not alive.is_set():
            stop.input.clear()
            stop.input.wait(0.0001)
            stop.input.set()
        sender.join()
    assert stop.signal == signal.SIGTERM


def test_all_that_wait_are_woken() -> None:
    stop = Stop()
    woken = [threading.Thread(target=stop.input.wait) for _ in range(3)]
    for thread in woken:
        thread.start()
    stop.input.set()
    for thread in woken:
        thread.join()
    assert stop.input.wait() is True
    stop.input.clear()
    assert (stop.input.wait(0), stop.input.is_set()) == (False, False)


class Ticks(threading.Event):
    """Is set after so many waits, each of which takes a second of its own."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.now = 0.0
        self._last = last

    def wait(self, timeout: float | None = None) -> bool:
        self.now += 1.0
        return self.now > self._last


def limited(last: int) -> tuple[Stop, list[int]]:
    """What the limits did until second ``last``, when the signal came in the first."""
    stop, ends, ticks = Stop(), list[int](), Ticks(last)
    stop.on_signal(signal.SIGTERM, None)
    stopping._limit(stop, ticks, 9.0, lambda: ticks.now, ends.append)
    return stop, ends


def test_redis_is_waited_for_five_seconds_and_then_the_process_ends() -> None:
    assert [limited(last)[0].hurry.is_set() for last in (5, 6)] == [False, True]
    assert [limited(last)[1] for last in (9, 10)] == [[], [128 + signal.SIGTERM]]


def test_what_still_works_is_to_write_what_it_has_before_that() -> None:
    assert [limited(last)[0].all.is_set() for last in (7, 8)] == [False, True]


def test_without_a_signal_nothing_is_limited() -> None:
    stop, ends, ticks = Stop(), list[int](), Ticks(100)
    stopping._limit(stop, ticks, 9.0, lambda: ticks.now, ends.append)
    assert (stop.hurry.is_set(), ends) == (False, [])
