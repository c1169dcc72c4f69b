"""How a run is stopped: by a signal, cleanly; by a second one, at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Two signals: no more input, finish what there is; and leave everything at once."""

    def __init__(self) -> None:
        self.input = threading.Event()
        self.all = threading.Event()
        self.signal: int | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal stops the input, a second one everything."""
        if self.input.is_set():
            self.all.set()
        self.signal = number
        self.input.set()


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM end a run cleanly while the block runs. For the main thread only."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop.on_signal) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
