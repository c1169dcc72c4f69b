"""How a run hears of signals: stopped cleanly, by a second one at once, or to read its file."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """No more ``input``, finish what there is; leave ``all`` at once; ``reload`` the file."""

    def __init__(self) -> None:
        self.input = threading.Event()
        self.all = threading.Event()
        self.reload = threading.Event()
        self.signal: int | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal stops the input, a second one everything."""
        if self.input.is_set():
            self.all.set()
        self.signal = number
        self.input.set()

    def on_hangup(self, number: int, frame: FrameType | None) -> None:
        """The site's file is to be read again."""
        self.reload.set()


@contextmanager
def signals(stop: Stop, *, reloads: bool = False) -> Iterator[None]:
    """SIGINT and SIGTERM end a run cleanly while the block runs; SIGHUP ``reloads`` its file.

    For the main thread only.
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
