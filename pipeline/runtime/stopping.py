"""Signal handling: the first signal stops a run cleanly, a second one at once; SIGHUP reloads.

A handler interrupts the main thread anywhere, also inside a lock or another handler, so it must not
wait for any lock.
"""

import _thread
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from pipeline.monitoring import logs

# Time to wait for Redis after the first signal. Supervisors kill after ten seconds.
_WAIT_S = 5.0
# What still runs this long after the first signal writes what it has, and decides no more.
_ALL_S = 7.0
#: A process that has not ended this long after the first signal ends at once.
EXIT_S = 9.0
_POLL_S = 0.1
#: What a stopped process leaves behind.
READABLE = "What is in a run directory can be read, and exports and reports made of it"


class SignalEvent(threading.Event):
    """An event that a signal handler may set: `set` waits for no lock, and may interrupt itself."""

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False
        self._waiting: list[_thread.LockType] = []

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it and wake all that wait."""
        self._is_set = True
        for lock in self._waiting.copy():
            # It may have been woken already.
            with suppress(RuntimeError):
                lock.release()

    def clear(self) -> None:
        """Reset it."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most ``timeout`` seconds; returns whether it is set."""
        lock = _thread.allocate_lock()
        lock.acquire()
        self._waiting.append(lock)
        try:
            # A signal before this line has set it, one after it releases the lock.
            if not self._is_set:
                lock.acquire(timeout=-1 if timeout is None else max(timeout, 0))
        finally:
            self._waiting.remove(lock)
        return self._is_set


class Stop:
    """Stop events of a run.

    ``input``: read no more frames and finish what was read. ``hurry``: wait for Redis no longer;
    it follows five seconds later. ``all``: stop at once; it follows two seconds after that.
    ``reload``: read the site file again. ``signal`` is the last signal received.
    """

    def __init__(self) -> None:
        self.input = SignalEvent()
        self.hurry = SignalEvent()
        self.all = SignalEvent()
        self.reload = SignalEvent()
        self.signal: int | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop the input on the first signal, everything on a second one."""
        if self.input.is_set():
            self.stop_all()
        self.signal = number
        self.input.set()

    def on_hangup(self, number: int, frame: FrameType | None) -> None:
        """Request a reload of the site file."""
        self.reload.set()

    def stop_all(self) -> None:
        """Stop everything at once."""
        self.all.set()
        self.hurry.set()
        self.input.set()


@contextmanager
def signals(
    stop: Stop, *, reloads: bool = False, exit_after_s: float | None = None
) -> Iterator[None]:
    """Handle SIGINT and SIGTERM during the block, and SIGHUP if the run ``reloads`` a site file.

    With ``exit_after_s`` the process ends that many seconds after the first signal: what a part of
    a site has not sent or written by then is sent or written after a restart. Must be called in
    the main thread.
    """
    handlers = {signal.SIGINT: stop.on_signal, signal.SIGTERM: stop.on_signal}
    if reloads:
        handlers[signal.SIGHUP] = stop.on_hangup
    ended = threading.Event()
    limits = threading.Thread(
        target=_limit, args=(stop, ended, exit_after_s), name="stopping", daemon=True
    )
    limits.start()
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ended.set()
        limits.join()


def _limit(
    stop: Stop,
    ended: threading.Event,
    exit_after_s: float | None,
    clock: Callable[[], float] = time.monotonic,
    end: Callable[[int], object] = os._exit,
) -> None:
    """Bound the time from the first signal to the end."""
    since: float | None = None
    while not ended.wait(_POLL_S):
        if not stop.input.is_set():
            continue
        since = clock() if since is None else since
        if clock() - since >= _WAIT_S:
            stop.hurry.set()
        if exit_after_s is not None and clock() - since >= _ALL_S:
            stop.all.set()
        if exit_after_s is not None and clock() - since >= exit_after_s:
            # The log may be locked by the thread that hangs.
            text = f"not ended {exit_after_s:g} s after the signal, so ending now. {READABLE}"
            os.write(2, f"{logs.format_line(logging.WARNING, text)}\n".encode())
            end(128 + (stop.signal or signal.SIGTERM))
            return
