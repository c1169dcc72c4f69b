"""A correction of a run, whether a site is still running or not."""

import time
from pathlib import Path

from pipeline.bus.connection import BusLostError
from pipeline.bus.streams import Bus
from pipeline.corrections.finished import correct_finished
from pipeline.corrections.live import correct_live
from pipeline.run_directory.progress import read_progress
from pipeline.run_directory.reader import RunDirectory
from trackers.association.corrections import Correction


def correct_run(
    folder: Path,
    wanted: Correction,
    *,
    seen: int | None = None,
    redis: str | None = None,
    site: str | None = None,
    timeout_s: float = 10.0,
) -> Correction:
    """Make a correction in the run directory ``folder``, or have its running site make it.

    ``redis`` and ``site`` are the address and the name of the site where the run directory does not
    say them. Raises CorrectionError when it cannot be made, and UserError as `correct_finished` and
    `correct_live`.
    """
    RunDirectory(folder)
    bus = _running_site(folder, redis, site)
    if bus is None:
        return correct_finished(folder, wanted, time.time, seen=seen)
    with bus:
        return correct_live(bus, folder, wanted, time.time, seen=seen, timeout_s=timeout_s)


def _running_site(folder: Path, redis: str | None, site: str | None) -> Bus | None:
    """The streams of the run if they still exist."""
    progress = read_progress(folder)
    url, name = redis or progress.redis, site or progress.site
    if progress.finished or not progress.run or not url or not name:
        return None
    try:
        bus = Bus(url, name)
    except BusLostError:
        if redis is not None:
            raise
        # The embedded Redis of the run ended with it.
        return None
    if bus.run() == progress.run:
        return bus
    bus.close()
    return None
