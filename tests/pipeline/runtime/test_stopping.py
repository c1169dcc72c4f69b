import signal

import pytest

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
