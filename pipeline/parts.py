"""The parts of a run: node, associator and recorder, each able to be a process of its own.

Each survives the loss of Redis, and a part that was killed and starts again goes on where it was.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from pipeline.bus.keys import OBSERVATIONS, RECORDER
from pipeline.bus.lease import Lease
from pipeline.bus.patience import Patience
from pipeline.bus.streams import Bus, FencedError
from pipeline.config import SiteConfig
from pipeline.errors import UserError
from pipeline.progress import Tally
from pipeline.recorder import Recorder
from pipeline.run_directory.durable import only_writer
from pipeline.run_directory.preparing import prepare
from pipeline.run_directory.progress import Progress, read_progress, write_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.stopping import Stop

_STANDBY_POLL_S = 0.5
# A part that was killed while it ended has this long to come back and end again.
_GOODBYE_S = 10.0
_GOODBYE_POLL_S = 0.05

_log = logging.getLogger(__name__)


def associate(config: SiteConfig, url: str, site: str, stop: threading.Event, tally: Tally) -> None:
    """Link the tracklets of a site until every camera has ended, or ``stop`` is set.

    While another associator does so it stands by.
    """
    patience = Patience(stop, time.monotonic)
    with (
        patience.insist(partial(Bus, url, site)) as bus,
        closing(patience.insist(partial(Lease, url, site))) as lease,
    ):
        run = patience.insist(bus.run)
        work = partial(_associate_in_turn, config, bus, lease, run, stop, tally)
        patience.survive(work, bus.probe)


def _associate_in_turn(
    config: SiteConfig, bus: Bus, lease: Lease, run: str, stop: threading.Event, tally: Tally
) -> None:
    # The libraries behind the networks load in seconds: only who needs them waits for them.
    from pipeline.associator import AssociatorService
    from pipeline.opening import association_of

    told, association = False, association_of(config)
    while not stop.is_set() and bus.run() == run:
        term = lease.acquire()
        if term is None:
            if not told:
                _log.warning("another associator is at work; this one stands by")
            told = True
            stop.wait(_STANDBY_POLL_S)
            continue
        service = AssociatorService(
            bus, association, config.cameras, on_decision=tally.on_decision, term=term
        )
        try:
            with lease.kept():
                service.run(stop)
            return
        except FencedError:
            _log.warning("another associator has taken over")
            association = association_of(config)
        except UserError:
            # While we took over all may have ended, and the streams with it.
            if bus.run() == run:
                raise


def record(url: str, site: str, config: SiteConfig, out: Path, stop: threading.Event) -> None:
    """Write what happens into ``out`` until all has ended, or ``stop`` is set.

    Raises UserError when the run is recorded elsewhere, or ``out`` holds another one.
    """
    patience = Patience(stop, time.monotonic)
    with patience.insist(partial(Bus, url, site)) as bus, only_writer(out):
        patience.insist(partial(_begin, bus, out))

        def work() -> None:
            Recorder(bus, out, config.recording.segment_s, time.monotonic).run(stop)

        patience.survive(work, bus.ping)
    if not stop.is_set():
        progress = read_progress(out)
        write_progress(out, Progress(progress.run, progress.taken, finished=True))


def _begin(bus: Bus, out: Path) -> None:
    run, progress = bus.run(), read_progress(out)
    if not progress.run:
        if bus.has_been_read(RECORDER, OBSERVATIONS):
            raise UserError(
                f"site {bus.site} is recorded into another folder already: give --out that one, "
                "or use another site"
            )
        write_progress(out, Progress(run))
    elif progress.run != run:
        raise UserError(f"{out} holds another run of site {bus.site}: give --out a new folder")


def run_node(config: SiteConfig, stop: Stop, tally: Tally) -> None:
    """A node as a process of its own: frames in, observations and tracklets to ``config.redis``."""
    from pipeline.node import Node
    from pipeline.opening import check_settings, open_models, open_sources

    sources = open_sources(config)
    check_settings(config, sources)
    detector, embedder = open_models(config, sources)
    with _at_work(config, f"node:{','.join(sorted(config.cameras))}", stop) as bus:
        node = Node(
            config,
            sources,
            bus,
            detector=detector,
            embedder=embedder,
            on_frames=tally.on_frames,
            give_up=stop.all,
        )
        node.run(stop.input)


def run_associator(config: SiteConfig, stop: Stop, tally: Tally) -> None:
    """The associator as a process of its own, until every camera of ``config`` has ended."""
    with _at_work(config, "associator", stop):
        assert config.redis is not None
        associate(config, config.redis, config.site, stop.input, tally)


def run_recorder(config: SiteConfig, out: Path, stop: Stop) -> RunDirectory:
    """The recorder as a process of its own; ``out`` is new, or that of a recorder that died."""
    prepare(out, config, resume=True)
    url = _address(config)
    patience = Patience(stop.input, time.monotonic)
    with patience.insist(partial(Bus, url, config.site)) as bus:
        if not read_progress(out).finished:
            patience.insist(partial(open_site, bus))
            record(url, config.site, config, out, stop.input)
        progress = read_progress(out)
        # Another run may have begun since; all of ours is recorded.
        if progress.finished and patience.insist(bus.run) == progress.run:
            patience.insist(partial(_see_off, bus, stop.input))
            patience.insist(bus.delete_site)
    return RunDirectory(out)


def open_site(bus: Bus) -> None:
    """Make what the site needs in Redis, and tell what is wrong with that."""
    bus.declare()
    bus.warn_of_risks()


def _address(config: SiteConfig) -> str:
    if config.redis is None:
        raise UserError("no Redis: give --redis URL or set redis in the configuration")
    return config.redis


@contextmanager
def _at_work(config: SiteConfig, part: str, stop: Stop) -> Iterator[Bus]:
    """The streams of the site, which are kept until this part is done."""
    patience = Patience(stop.input, time.monotonic)
    with patience.insist(partial(Bus, _address(config), config.site)) as bus:
        patience.insist(partial(open_site, bus))
        patience.insist(partial(bus.enter, part))
        try:
            yield bus
        finally:
            with suppress(UserError):
                bus.leave(part)


def _see_off(bus: Bus, stop: threading.Event) -> None:
    """Wait until every part knows that the run is over: who comes late would begin a new one."""
    deadline = time.monotonic() + _GOODBYE_S
    while bus.parts() and time.monotonic() < deadline:
        if stop.wait(_GOODBYE_POLL_S):
            return
