"""The parts of a site as separate processes around one Redis.

Each part registers with the site while it runs and follows changes of the site file.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from pipeline.bus.connection import Retry
from pipeline.bus.lease import LEASE_S, CameraLease
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Watch
from pipeline.run_directory.preparing import prepare, update_config
from pipeline.run_directory.progress import read_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.reload import Difference, SiteFile, follow_file
from pipeline.runtime.stopping import Stop
from pipeline.runtime.workers import associate, open_site, record

# The lease of a killed node expires within this time; a lease held longer is in use.
_CLAIM_S = LEASE_S + 1.0
_CLAIM_POLL_S = 0.2
# A part that was killed while ending has this long to restart and end again.
_PARTS_END_S = 20.0
_PARTS_POLL_S = 0.05


def run_node(
    config: SiteConfig,
    stop: Stop,
    tally: Tally,
    watch: Watch | None = None,
    file: SiteFile | None = None,
) -> None:
    """Run a node: frames in, observations and tracklets to ``config.redis``.

    With ``file``, from which ``config`` was loaded, live cameras are added and removed as it
    changes. Raises UserError when another node runs one of the cameras.
    """
    from pipeline.node.changes import SiteChanges
    from pipeline.runtime.assemble import check_settings, make_node, open_inputs
    from pipeline.runtime.reload import open_change, wait_until_applied

    watch = watch or Watch(config)
    inputs = open_inputs(config, watch, more_may_come=file is not None)
    name = f"node:{','.join(sorted(config.cameras))}"
    changes = SiteChanges(f"{socket.gethostname()}:{file.path.absolute()}") if file else None
    with _claimed(config, stop) as lease, _running_part(config, name, stop, watch) as bus:

        def apply(found: Difference) -> None:
            assert changes is not None
            change = open_change(found)
            _claim(partial(lease.claim_more, found.added), stop)
            changes.put(change)
            # Release a removed camera only after its last messages are sent.
            wait_until_applied(change, watch)
            lease.release(found.removed)

        node = make_node(config, inputs, bus, stop, tally, watch, changes)
        check = partial(check_settings, sources=[])
        with watch.running("node"), follow_file(file, config, stop.reload, check, apply):
            node.run(stop.input)


def run_associator(
    config: SiteConfig,
    stop: Stop,
    tally: Tally,
    watch: Watch | None = None,
    file: SiteFile | None = None,
) -> None:
    """Run the associator until every camera of ``config`` has ended.

    Nodes announce added and removed cameras; other changes of ``file`` are only logged.
    """
    watch = watch or Watch(config)
    with (
        _running_part(config, "associator", stop, watch),
        follow_file(
            file,
            config,
            stop.reload,
            check=lambda wanted: None,
            apply=lambda found: watch.set_cameras(found.config),
        ),
    ):
        assert config.redis is not None
        associate(config, config.redis, config.site, stop.input, tally, watch)


def run_recorder(
    config: SiteConfig,
    out: Path,
    stop: Stop,
    watch: Watch | None = None,
    file: SiteFile | None = None,
) -> RunDirectory:
    """Run the recorder; ``out`` is a new folder or that of a killed recorder of the same run.

    Changes of the cameras in ``file`` are written to its config.yaml.
    """

    def apply(found: Difference) -> None:
        update_config(out, found.config)

    watch = watch or Watch(config)
    prepare(out, config, resume=True)
    url = _address(config)
    retry = Retry(stop.input, time.monotonic)
    with retry.call(partial(Bus, url, config.site)) as bus:
        if not read_progress(out).finished:
            retry.call(partial(open_site, bus))
            retry.call(partial(watch.attach, bus))
            with follow_file(file, config, stop.reload, check=lambda wanted: None, apply=apply):
                record(url, config.site, config, out, stop.input, watch)
        progress = read_progress(out)
        # The run is recorded; another run may have started since.
        if progress.finished and retry.call(bus.run) == progress.run:
            retry.call(partial(_wait_for_parts, bus, stop.input))
            retry.call(bus.delete_site)
    return RunDirectory(out)


def _address(config: SiteConfig) -> str:
    if config.redis is None:
        raise UserError("no Redis: give --redis URL or set redis in the configuration")
    return config.redis


@contextmanager
def _running_part(config: SiteConfig, part: str, stop: Stop, watch: Watch) -> Iterator[Bus]:
    """Open the streams of the site and register this part during the block."""
    retry = Retry(stop.input, time.monotonic)
    with retry.call(partial(Bus, _address(config), config.site)) as bus:
        retry.call(partial(open_site, bus))
        retry.call(partial(watch.attach, bus))
        retry.call(partial(bus.add_part, part))
        try:
            yield bus
        finally:
            with suppress(UserError):
                bus.remove_part(part)


@contextmanager
def _claimed(config: SiteConfig, stop: Stop) -> Iterator[CameraLease]:
    """Hold the lease on the cameras during the block. UserError when another node runs one."""
    retry = Retry(stop.input, time.monotonic)
    open_lease = partial(CameraLease, _address(config), config.site, list(config.cameras))
    with closing(retry.call(open_lease)) as lease:
        _claim(partial(retry.call, lease.claim), stop)
        with lease.renewed():
            yield lease


def _claim(claim: Callable[[], dict[str, str]], stop: Stop) -> None:
    """Claim cameras, waiting for leases of killed nodes to expire."""
    deadline = time.monotonic() + _CLAIM_S
    while others := claim():
        if time.monotonic() > deadline or stop.input.wait(_CLAIM_POLL_S):
            camera_id, host = next(iter(others.items()))
            raise UserError(
                f"camera {camera_id} is already run by a node on {host}. Expected one node per "
                "camera: name other cameras with --cameras, or stop that node"
            )


def _wait_for_parts(bus: Bus, stop: threading.Event) -> None:
    """Wait until every part has ended; one still running would start a new run after deletion."""
    deadline = time.monotonic() + _PARTS_END_S
    while bus.running_parts() and time.monotonic() < deadline:
        if stop.wait(_PARTS_POLL_S):
            return
