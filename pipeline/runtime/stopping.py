"""Signal handling: the first signal stops a run cleanly, a second one at once; SIGHUP reloads."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Stop events of a run.

    ``input``: read no more frames and finish what was read. ``all``: stop at once. ``reload``: read
    the site file again. ``signal`` is the last signal received.
    """

    def __init__(self) -> None:
        self.input = threading.Event()
        self.all = threading.Event()
        self.reload = threading.Event()
        self.signal: int | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop the input on the first signal, everything on a second one."""
        if self.input.is_set():
            self.all.set()
        self.signal = number
        self.input.set()

    def on_hangup(self, number: int, frame: FrameType | None) -> None:
        """Request a reload of the site file."""
        self.reload.set()


@contextmanager
def signals(stop: Stop, *, reloads: bool = False) -> Iterator[None]:
    """Handle SIGINT and SIGTERM during the block, and SIGHUP if the run ``reloads`` a site file.

    Must be called in the main thread.
    """
    handlers = {signal.SIGINT: stop.on_signal, signal.SIGTERM: stop.on_signal}
    if reloads:
        handlers[signal.SIGHUP] = stop.on_hangup
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
