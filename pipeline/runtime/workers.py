"""The associator and the recorder, each in a thread of a run or in a process of its own.

Both survive the loss of Redis, and after a restart continue where they were.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.bus.connection import Retry
from pipeline.bus.keys import OBSERVATIONS, RECORDER
from pipeline.bus.lease import AssociatorLease
from pipeline.bus.streams import Bus, FencedError
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Watch
from pipeline.recorder.recorder import Recorder
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.progress import RecorderProgress, read_progress, write_progress
from pipeline.sources.redact import redact

if TYPE_CHECKING:
    # The libraries behind it take seconds to load.
    from trackers.association.decision import Decision

OnDecision = Callable[["Decision"], None]

_STANDBY_POLL_S = 0.5

_log = logging.getLogger(__name__)


def associate(
    config: SiteConfig,
    url: str,
    site: str,
    stop: threading.Event,
    tally: Tally,
    watch: Watch | None = None,
    give_up: threading.Event | None = None,
    on_decision: OnDecision | None = None,
) -> None:
    """Assign global ids to the tracklets of a site until every camera has ended or ``stop`` is set.

    ``on_decision`` is called with every decision. While another associator is active it stands by.
    While Redis is away it waits until ``give_up`` is set, by default ``stop``.
    """
    watch = watch or Watch(config)
    retry = Retry(give_up or stop, time.monotonic, partial(watch.count_retry, "associator"))
    with (
        watch.running("associator"),
        retry.call(partial(Bus, url, site)) as bus,
        closing(retry.call(partial(AssociatorLease, url, site))) as lease,
    ):
        run = retry.call(bus.run)

        def decided(decision: "Decision") -> None:
            tally.on_decision(*decision.key, decision.global_id)
            if on_decision is not None:
                on_decision(decision)

        work = partial(_associate_in_turn, config, bus, lease, run, stop, decided, watch)
        retry.restart(work, bus.probe)


def _associate_in_turn(
    config: SiteConfig,
    bus: Bus,
    lease: AssociatorLease,
    run: str,
    stop: threading.Event,
    decided: "OnDecision",
    watch: Watch,
) -> None:
    # Imported here because the libraries behind the networks take seconds to load.
    from pipeline.associator.associator import AssociatorService
    from pipeline.associator.open import association_of, silence_of

    association = association_of(config)
    while (term := _acquired_term(bus, lease, run, stop, watch)) is not None:
        service = AssociatorService(
            bus,
            association,
            config.cameras,
            on_decision=decided,
            term=term,
            watch=watch,
            silence=silence_of(config),
            renew=lease.renew,
            keep=lease.kept,
        )
        try:
            with lease.held(), watch.deciding():
                service.run(stop)
            return
        except FencedError:
            _log.warning("another associator has taken over")
            association = association_of(config)
        except UserError:
            # The run may have ended during the takeover, and its streams been deleted.
            if bus.run() == run:
                raise


def _acquired_term(
    bus: Bus, lease: AssociatorLease, run: str, stop: threading.Event, watch: Watch
) -> int | None:
    """Stand by until this associator has the lease; None when the run ends before."""
    warned = False
    while not stop.is_set() and bus.run() == run:
        watch.step("associator")
        term = lease.acquire()
        if term is not None:
            return term
        if not warned:
            _log.warning("another associator is active; this one stands by")
        warned = True
        stop.wait(_STANDBY_POLL_S)
    return None


def record(
    url: str,
    site: str,
    config: SiteConfig,
    out: Path,
    stop: threading.Event,
    watch: Watch | None = None,
    give_up: threading.Event | None = None,
) -> None:
    """Record a site into ``out`` until it has ended or ``stop`` is set.

    While Redis is away it waits until ``give_up`` is set, by default ``stop``. Raises UserError
    when the run is recorded elsewhere, or ``out`` contains another run.
    """
    watch = watch or Watch(config)
    retry = Retry(give_up or stop, time.monotonic, partial(watch.count_retry, "recorder"))
    with (
        watch.running("recorder"),
        retry.call(partial(Bus, url, site)) as bus,
        exclusive_writer(out),
    ):
        retry.call(partial(_begin, bus, url, out))

        def work() -> None:
            segment_s, retention = config.recording.segment_s, config.retention
            Recorder(bus, out, segment_s, time.monotonic, watch, retention).run(stop)

        retry.restart(work, bus.ping)
    if not stop.is_set():
        progress = read_progress(out)
        write_progress(out, replace(progress, finished=True))


def _begin(bus: Bus, url: str, out: Path) -> None:
    run, progress = bus.run(), read_progress(out)
    if not progress.run:
        if bus.has_been_read(RECORDER, OBSERVATIONS):
            raise UserError(
                f"site {bus.site} is already recorded into another folder: give that folder as "
                "--out, or use another site"
            )
        # Commands on the folder find the site by this address; one with a password is not stored.
        known = url if redact(url) == url else ""
        write_progress(out, RecorderProgress(run, site=bus.site, redis=known))
    elif progress.run != run:
        raise UserError(f"{out} contains another run of site {bus.site}: give --out a new folder")


def open_site(bus: Bus) -> None:
    """Create the streams of the site in Redis and log warnings about its settings."""
    bus.declare()
    bus.warn_of_risks()
