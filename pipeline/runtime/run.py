"""Runs node, associator and recorder around one Redis in one process."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally, progress_mode, show_progress
from pipeline.monitoring.watch import Watch
from pipeline.node.changes import SiteChanges
from pipeline.node.own import NOTHING_OWN, Own, PeopleEmbedder, check_own
from pipeline.node.perception import PeopleDetector
from pipeline.node.tracker import PeopleTracker
from pipeline.pictures.render import check_readable
from pipeline.run import Run
from pipeline.run_directory.preparing import prepare, update_config
from pipeline.runtime import workers
from pipeline.runtime.assemble import check_settings, make_node, open_inputs
from pipeline.runtime.moments import MomentQueue
from pipeline.runtime.reload import (
    Difference,
    SiteFile,
    follow_file,
    open_change,
    wait_until_applied,
)
from pipeline.runtime.site_options import with_options
from pipeline.runtime.stopping import Stop

_REDIS_RESTARTS = 5


def run_site(
    config: SiteConfig,
    out: Path,
    *,
    stop: Stop | None = None,
    tally: Tally | None = None,
    watch: Watch | None = None,
    file: SiteFile | None = None,
    own: Own = NOTHING_OWN,
    moments: MomentQueue | None = None,
) -> Run:
    """Track the people of all cameras of ``config`` and write the run directory ``out``.

    Returns when every source has ended or ``stop`` is set; everything up to then can be read. With
    ``file``, from which ``config`` was loaded, live cameras are added and removed as it changes,
    and without cameras the run waits. ``own`` are networks and trackers in place of those of
    ``config``; ``moments`` receives each frame with its people. Raises UserError for bad input,
    before anything is written where possible.
    """
    stop = stop or Stop()
    tally = tally or Tally(list(config.cameras))
    if config.recording.video:
        check_readable(config.cameras)
    watch = watch or Watch(config)
    inputs = open_inputs(config, watch, own, more_may_come=file is not None)
    prepare(out, config)
    with _redis(config, out, stop) as url:
        # Runs that share a Redis must not share streams.
        site = f"{config.site}.{uuid.uuid4().hex[:12]}"
        with Bus(url, site) as bus, _own_site(bus):
            workers.open_site(bus)
            watch.attach(bus)
            changes = SiteChanges("run") if file else None
            node = make_node(
                config, inputs, bus, stop, tally, watch, changes, out, own.tracker, moments
            )
            with (
                _services(config, url, site, out, stop, tally, watch, moments),
                watch.running("node"),
                _following(file, config, changes, out, stop, watch),
            ):
                node.run(stop.input)
    return Run(out)


@contextmanager
def _following(
    file: SiteFile | None,
    config: SiteConfig,
    changes: SiteChanges | None,
    out: Path,
    stop: Stop,
    watch: Watch,
) -> Iterator[None]:
    """Apply changes of ``file`` to the node and to ``out`` during the block."""

    def check(wanted: SiteConfig) -> None:
        if config.recording.video:
            check_readable(wanted.cameras)
        check_settings(wanted, [])

    def apply(found: Difference) -> None:
        assert changes is not None
        change = open_change(found)
        update_config(out, found.config)
        changes.put(change)
        wait_until_applied(change, watch)

    with follow_file(file, config, stop.reload, check, apply):
        yield


@contextmanager
def _own_site(bus: Bus) -> Iterator[None]:
    """Delete the site after the block, so that a run leaves nothing in a shared Redis."""
    try:
        yield
    except BaseException:
        # The first error must not be replaced by one of the cleanup.
        with suppress(UserError):
            bus.delete_site()
        raise
    bus.delete_site()


@contextmanager
def _redis(config: SiteConfig, out: Path, stop: Stop) -> Iterator[str]:
    """The address of the configured Redis, else of an embedded one that runs during the block."""
    if config.redis:
        yield config.redis
        return

    def give_up() -> None:
        stop.stop_all()

    with EmbeddedServer(out / "redis", _REDIS_RESTARTS, give_up) as server:
        try:
            yield server.url
        except UserError as error:
            # Other errors only report that Redis does not answer.
            raise (UserError(server.fault) if server.fault else error) from error


@contextmanager
def _services(
    config: SiteConfig,
    url: str,
    site: str,
    out: Path,
    stop: Stop,
    tally: Tally,
    watch: Watch,
    moments: MomentQueue | None,
) -> Iterator[None]:
    """Run associator and recorder in threads; after the block they finish what it sent."""
    on_decision = None if moments is None else moments.on_decision

    def associate() -> None:
        workers.associate(config, url, site, stop.all, tally, watch, stop.hurry, on_decision)

    def record() -> None:
        workers.record(url, site, config, out, stop.all, watch, stop.hurry)

    threads = [_Worker(work, stop) for work in (associate, record)]
    for worker in threads:
        worker.start()
    try:
        yield
    except BaseException:
        stop.stop_all()
        raise
    finally:
        for worker in threads:
            worker.join()
    for worker in threads:
        if worker.error is not None:
            raise worker.error


class _Worker(threading.Thread):
    """The thread of a service. Its error stops the run and is raised by the owner."""

    def __init__(self, work: Callable[[], None], stop: Stop) -> None:
        super().__init__(name=work.__name__, daemon=True)
        self._work = work
        self._signals = stop
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        # An exception in a thread would only be printed; the owner raises it.
        except Exception as error:  # noqa: BLE001
            self.error = error
            self._signals.stop_all()


def follow(
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    config: SiteConfig | None = None,
    *,
    detector: PeopleDetector | None = None,
    tracker: Callable[[], PeopleTracker] | None = None,
    embedder: PeopleEmbedder | None = None,
    progress: bool | None = None,
) -> Run:
    """Track the people of all ``sources``, or of a single one; return the run directory ``out``.

    A source is given as on the command line: a video, a folder of images, a glob, a URL, or
    recorded detections; ``NAME=SOURCE`` names its camera.

    ``detector`` and ``embedder`` are objects of your own in place of the networks of ``config``,
    ``tracker`` is a class or function that makes the tracker of one camera. With an embedder of
    your own, give ``association.similarity`` too: without it the calibration is that of an average
    network. ``progress`` shows frames and people while it runs; by default in a terminal and in a
    notebook.

    Raises UserError for bad input, and when an object of your own gives something else than its
    protocol says.
    """
    own = Own(detector, tracker, embedder)
    site = site_of(sources, config, own)
    tally = Tally(list(site.cameras))
    with show_progress(tally, progress_mode(progress)):
        run = run_site(site, Path(out), tally=tally, own=own)
    if site.recording.video:
        from pipeline.pictures.mosaic import render_run

        render_run(run)
    return run


def site_of(
    sources: str | Path | Iterable[str | Path], config: SiteConfig | None, own: Own
) -> SiteConfig:
    """The configuration of a run of ``sources``, in which ``own`` is named.

    Raises UserError for sources or objects that cannot be used.
    """
    check_own(own)
    several = [sources] if isinstance(sources, str | Path) else sources
    names: dict[str, object] = {**own.names()}
    return with_options(config or SiteConfig(), [str(source) for source in several], names)
