"""Wall time and processor time of a piece of work, and of the parts inside it."""

import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

_TASKS = Path("/proc/self/task")


class Speed(NamedTuple):
    """The time that a number of frames took, by the clock and of the processors, in seconds."""

    frames: int
    wall_s: float
    cpu_s: float

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of the processors a frame."""
        return 1000 * self.cpu_s / self.frames


class Stopwatch:
    """Measures from its creation, or from `restart`, with the processes that ended since."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin again."""
        self._wall, self._cpu = time.perf_counter(), _cpu_s()

    def speed(self, frames: int) -> Speed:
        """The speed of ``frames`` since the beginning."""
        return Speed(frames, time.perf_counter() - self._wall, _cpu_s() - self._cpu)


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class PartTimes:
    """Processor seconds of parts; one inside another counts for itself alone.

    Threads that Python does not know are those of the networks: what they take counts for the part
    that `network` wraps, and nothing else may use them meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = threading.local()
        self.restart()

    def restart(self) -> None:
        """Begin again."""
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def measured(self, part: str, *, network: bool = False) -> Iterator[None]:
        """Measure the block as ``part``."""
        outer = getattr(self._inside, "seconds", 0.0)
        self._inside.seconds = 0.0
        begin, begin_network = time.thread_time(), _network_s() if network else 0.0
        try:
            yield
        finally:
            took = time.thread_time() - begin
            threads = _network_s() - begin_network if network else 0.0
            with self._lock:
                self.seconds[part] += took - self._inside.seconds + threads
            self._inside.seconds = outer + took

    def function(self, part: str, function: Callable[..., Any], **kind: bool) -> Callable[..., Any]:
        """``function``, measured."""

        def measured(*given: Any, **named: Any) -> Any:
            with self.measured(part, **kind):
                return function(*given, **named)

        return measured

    def generator(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose result is iterated over, each step measured."""

        def measured(*given: Any, **named: Any) -> Any:
            steps = iter(function(*given, **named))
            while True:
                with self.measured(part):
                    step = next(steps, steps)
                if step is steps:
                    return
                yield step

        return measured


def _network_s() -> float:
    """Processor seconds of the threads that Python did not start."""
    known = {str(thread.native_id) for thread in threading.enumerate()}
    total = 0
    for task in _TASKS.iterdir():
        if task.name not in known:
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue  # the thread has ended
    return total / 1e9


@contextmanager
def replaced(pairs: list[tuple[object, str, Callable[..., Any]]]) -> Iterator[None]:
    """Replace attributes of modules and classes during the block."""
    with ExitStack() as stack:
        for owner, name, function in pairs:
            stack.enter_context(mock.patch.object(owner, name, function))
        yield
