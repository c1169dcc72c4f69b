"""What lies in Redis and waits."""

from dataclasses import dataclass

from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch


@dataclass(frozen=True, slots=True)
class Backlog:
    """The streams of a run by their short names, and what waits in them.

    ``run`` is the name that the run has in Redis. ``pending`` is by stream and group: delivered and
    not acknowledged. ``dead`` messages could not be used. ``memory`` is in bytes, of all of Redis.
    """

    run: str
    lengths: dict[str, int]
    pending: dict[tuple[str, str], int]
    dead: int
    memory: int


def backlog_of(watch: Watch) -> Backlog:
    """What waits in the Redis of ``watch``. Raises UserError when it does not answer."""
    bus: Bus | None = watch.bus
    if bus is None:
        raise UserError("Redis was not reached yet")
    return Backlog(bus.run(), bus.lengths(), bus.pending(), bus.dead_letters(), bus.memory())
