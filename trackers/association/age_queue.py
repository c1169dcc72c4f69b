"""Names in the order of their times, to find the old ones without a search through all."""

from heapq import heappop, heappush
from typing import Generic, TypeVar

Name = TypeVar("Name", int, tuple[str, int])


class AgeQueue(Generic[Name]):
    """Each name has a time, which may grow; its place in the queue is that of its first time."""

    def __init__(self) -> None:
        self._times: dict[Name, float] = {}
        self._queue: list[tuple[float, Name]] = []

    def put(self, name: Name, time: float) -> None:
        """Add a name, or set its time to a later one."""
        if name not in self._times:
            heappush(self._queue, (time, name))
        self._times[name] = time

    def drop(self, name: Name) -> None:
        """Remove a name, if it is there."""
        self._times.pop(name, None)

    def pop_before(self, moment: float) -> list[Name]:
        """Remove all names with a time before this moment, and return them in order."""
        found: list[Name] = []
        while self._queue and self._queue[0][0] < moment:
            _, name = heappop(self._queue)
            time = self._times.get(name)
            if time is None:
                continue
            if time < moment:
                del self._times[name]
                found.append(name)
            else:
                heappush(self._queue, (time, name))
        return sorted(found)
