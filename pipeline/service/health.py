"""Whether a process lives, and whether it can work: an empty reason, or one line."""

from collections.abc import Callable

from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch


def why_not_alive(watch: Watch, stalled_s: float) -> str:
    """Which loop made no step for ``stalled_s`` seconds; empty when each of them goes round."""
    now = watch.ticks()
    for loop, step in sorted(watch.steps.copy().items()):
        if now - step >= stalled_s:
            return f"the {loop} made no step for {now - step:.0f} s"
    return ""


def why_not_ready(watch: Watch, ask_redis: Callable[[], object]) -> str:
    """What is missing before the process can work; ``ask_redis`` raises UserError without one."""
    if watch.waits_for:
        return watch.waits_for
    try:
        ask_redis()
    except UserError as error:
        return str(error)
    return ""
