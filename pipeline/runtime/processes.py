"""The parts of a site as processes of their own around one Redis.

Each keeps its site alive while it works, and follows the site's file.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from pipeline.bus.lease import LEASE_S, CameraLease
from pipeline.bus.retry import Retry
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Watch
from pipeline.run_directory.preparing import prepare, update_config
from pipeline.run_directory.progress import read_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.reload import Difference, SiteFile, following
from pipeline.runtime.stopping import Stop
from pipeline.runtime.workers import associate, open_site, record

# What a node that was killed held is free after a moment; who holds it for longer is at work.
_CLAIM_S = LEASE_S + 1.0
_CLAIM_POLL_S = 0.2
# A node whose Redis is away does nothing else for now.
_APPLIED_S = 10.0
# A part that was killed while it ended has this long to come back and end again.
_GOODBYE_S = 20.0
_GOODBYE_POLL_S = 0.05


def run_node(
    config: SiteConfig,
    stop: Stop,
    tally: Tally,
    watch: Watch | None = None,
    file: SiteFile | None = None,
) -> None:
    """A node as a process of its own: frames in, observations and tracklets to ``config.redis``.

    Live cameras come and go with ``file``, where ``config`` came from.
    """
    from pipeline.node.changes import SiteChanges
    from pipeline.node.node import Node
    from pipeline.node.perception import count_batches
    from pipeline.runtime.assemble import check_settings, open_models
    from pipeline.runtime.reload import opened
    from pipeline.sources.open import open_sources

    watch = watch or Watch(config)
    with watch.loading():
        sources = open_sources(config, more_may_come=file is not None)
        check_settings(config, sources)
        detector, embedder = count_batches(*open_models(config, sources), watch)
    name = f"node:{','.join(sorted(config.cameras))}"
    changes = SiteChanges(f"{socket.gethostname()}:{file.path.absolute()}") if file else None
    with _claimed(config, stop) as claims, _at_work(config, name, stop, watch) as bus:

        def apply(found: Difference) -> None:
            assert changes is not None
            change = opened(found)
            _claim(partial(claims.claim_more, found.added), stop)
            changes.put(change)
            # Until it has said its last, no other node may follow a camera.
            change.done.wait(_APPLIED_S)
            claims.release(found.removed)

        node = Node(
            config,
            sources,
            bus,
            detector=detector,
            embedder=embedder,
            on_frames=tally.on_frames,
            give_up=stop.all,
            watch=watch,
            changes=changes,
        )
        check = partial(check_settings, sources=[])
        with watch.running("node"), following(file, config, stop.reload, check, apply):
            node.run(stop.input)


def run_associator(
    config: SiteConfig,
    stop: Stop,
    tally: Tally,
    watch: Watch | None = None,
    file: SiteFile | None = None,
) -> None:
    """The associator as a process of its own, until every camera of ``config`` has ended.

    Of cameras that come and go the nodes tell it; what else changes in ``file`` is only said.
    """
    watch = watch or Watch(config)
    with (
        _at_work(config, "associator", stop, watch),
        following(
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
    """The recorder as a process of its own; ``out`` is new, or that of a recorder that died.

    The cameras of ``file`` are kept current in its config.yaml.
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
            with following(file, config, stop.reload, check=lambda wanted: None, apply=apply):
                record(url, config.site, config, out, stop.input, watch)
        progress = read_progress(out)
        # Another run may have begun since; all of ours is recorded.
        if progress.finished and retry.call(bus.run) == progress.run:
            retry.call(partial(_see_off, bus, stop.input))
            retry.call(bus.delete_site)
    return RunDirectory(out)


def _address(config: SiteConfig) -> str:
    if config.redis is None:
        raise UserError("no Redis: give --redis URL or set redis in the configuration")
    return config.redis


@contextmanager
def _at_work(config: SiteConfig, part: str, stop: Stop, watch: Watch) -> Iterator[Bus]:
    """The streams of the site, which are kept until this part is done."""
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
    """The cameras are ours during the block. Raises UserError when another node follows one."""
    retry = Retry(stop.input, time.monotonic)
    opened = partial(CameraLease, _address(config), config.site, list(config.cameras))
    with closing(retry.call(opened)) as claims:
        _claim(partial(retry.call, claims.claim), stop)
        with claims.renewed():
            yield claims


def _claim(claim: Callable[[], dict[str, str]], stop: Stop) -> None:
    """Claim cameras; whose node is silent gets a moment to be forgotten."""
    deadline = time.monotonic() + _CLAIM_S
    while others := claim():
        if time.monotonic() > deadline or stop.input.wait(_CLAIM_POLL_S):
            camera_id, host = next(iter(others.items()))
            raise UserError(
                f"camera {camera_id} is followed by a node on {host} already. Expected one "
                "node a camera: name others with --cameras, or stop that node"
            )


def _see_off(bus: Bus, stop: threading.Event) -> None:
    """Wait until every part knows that the run is over: who comes late would begin a new one."""
    deadline = time.monotonic() + _GOODBYE_S
    while bus.running_parts() and time.monotonic() < deadline:
        if stop.wait(_GOODBYE_POLL_S):
            return
