"""`fusetrack node`, `associate`, `record` and `serve`: each part of a site as its own process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import say
from pipeline.cli.service import (
    LogFormatOption,
    LogLevelOption,
    MetricsOption,
    NoWatchOption,
    configure_log,
    load_site,
    service_options,
)

if TYPE_CHECKING:
    from pipeline.config.schema import SiteConfig
    from pipeline.monitoring.progress import Tally
    from pipeline.monitoring.watch import Watch
    from pipeline.runtime.reload import SiteFile
    from pipeline.runtime.stopping import Stop


from pipeline.cli.results import CamerasOption, SinceOption, UntilOption

ConfigOption = Annotated[Path, typer.Option(help="Site configuration (YAML).")]
RedisOption = Annotated[
    str | None,
    typer.Option(envvar="FUSETRACK_REDIS", help="Redis URL; overrides the configuration."),
]


def node(
    config: ConfigOption,
    redis: RedisOption = None,
    cameras: Annotated[
        str | None, typer.Option(help="Cameras of this node: NAME,NAME. Default: all.")
    ] = None,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Detect and track people in each camera and publish the results to Redis."""
    from pipeline.runtime.processes import run_node

    service = service_options(metrics, log_format, log_level)
    site, file = _site("node", config, redis, service, no_watch=no_watch, only=cameras)
    _refuse_videos(site)
    with _running("node", site, file) as (stop, tally, watch):
        run_node(site, stop, tally, watch, file)
    _exit_if_stopped(stop.signal)


def associate(
    config: ConfigOption,
    redis: RedisOption = None,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Assign global ids to the tracks of all cameras, until every camera has ended."""
    from pipeline.monitoring.progress import people_text
    from pipeline.runtime.processes import run_associator

    service = service_options(metrics, log_format, log_level)
    site, file = _site("associator", config, redis, service, no_watch=no_watch)
    with _running("associator", site, file) as (stop, tally, watch):
        run_associator(site, stop, tally, watch, file)
    say(people_text(tally.people()))
    _exit_if_stopped(stop.signal)


def record(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="Run directory to write.")],
    redis: RedisOption = None,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Write the run directory until every camera has ended."""
    from pipeline.runtime.processes import run_recorder

    service = service_options(metrics, log_format, log_level)
    site, file = _site("recorder", config, redis, service, no_watch=no_watch)
    _refuse_videos(site)
    with _running("recorder", site, file) as (stop, _, watch):
        result = run_recorder(site, out, stop, watch, file)
    say(f"recorded: {result.path}")
    _exit_if_stopped(stop.signal)


def _refuse_videos(site: SiteConfig) -> None:
    """Raise UserError when videos are wanted: they are made of the sources once a run has ended."""
    from pipeline.errors import UserError

    if site.recording.video:
        raise UserError(
            "recording.video: only `fusetrack run` writes videos, of recordings. Expected false "
            "in the site file of `node` and `record`"
        )


@contextmanager
def _running(
    part: str, site: SiteConfig, file: SiteFile | None
) -> Iterator[tuple[Stop, Tally, Watch | None]]:
    """Signals, progress and metrics of a part while it runs."""
    from pipeline.monitoring.progress import Tally
    from pipeline.monitoring.web import serve_metrics
    from pipeline.runtime.stopping import EXIT_S, Stop, signals

    stop, tally = Stop(), Tally(list(site.cameras))
    with (
        signals(stop, reloads=file is not None, exit_after_s=EXIT_S),
        serve_metrics(site, part, tally) as watch,
    ):
        yield stop, tally, watch


def _site(
    part: str,
    path: Path,
    redis: str | None,
    service: dict[str, object],
    *,
    no_watch: bool,
    only: str | None = None,
) -> tuple[SiteConfig, SiteFile | None]:
    from pipeline.config.load import load_config
    from pipeline.runtime.site_options import cameras_of, with_cameras_only, with_options

    wanted = None if only is None else [name for name in only.split(",") if name]

    def load_all() -> SiteConfig:
        return with_options(load_config(path), [], {"redis": redis, "service": service})

    def load() -> SiteConfig:
        config = load_all()
        if wanted is None:
            return config
        # A camera of this node may have been removed from the file.
        return cameras_of(config, [name for name in wanted if name in config.cameras])

    if wanted is not None:
        with_cameras_only(load_all(), wanted)
    config, file = load_site(path, load, no_watch=no_watch)
    configure_log(config, part)
    return config, file


def _exit_if_stopped(stopped_by: int | None) -> None:
    if stopped_by is not None:
        sys.exit(128 + stopped_by)


def serve(
    config: Annotated[
        Path | None,
        typer.Option(help="Site configuration (YAML). Default: that of the run in --out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Run directory: of the recorder, for the full history, or of a past run."
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Address to listen on.", show_default=False),
    ] = None,
    redis: RedisOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Serve cameras, people, events and pictures of a site, or of a finished run, over HTTP.

    `--out RUN` without `--config` opens a finished run. `--since`, `--until` and `--camera`
    narrow what is shown of the run directory.
    """
    from pipeline.api import server
    from pipeline.run_directory.selection import selection_of
    from pipeline.runtime.stopping import EXIT_S, Stop, signals

    options: dict[str, object] = {
        "redis": redis,
        "api": {"listen": listen},
        "service": service_options(None, log_format, log_level),
    }
    site = _shown_site(config, out, options)
    configure_log(site, "api")
    stop = Stop()
    part = selection_of(since, until, camera)

    def ready(address: str) -> None:
        say(f"listening on {address}")

    with signals(stop, exit_after_s=EXIT_S):
        if out is not None and config is None and redis is None and server.has_ended(out):
            server.serve_recorded(site, out, stop, ready, part)
        else:
            server.serve(site, out, stop, ready, part, config)
    if stop.signal is not None:
        sys.exit(128 + stop.signal)


def _shown_site(config: Path | None, out: Path | None, options: dict[str, object]) -> SiteConfig:
    """The configuration of the site, or of the run in ``out``, with the options."""
    from pipeline.config.load import check_config, load_config
    from pipeline.errors import UserError
    from pipeline.run_directory.reader import RunDirectory
    from pipeline.runtime.site_options import with_options

    if config is not None:
        return with_options(load_config(config), [], options)
    if out is None:
        raise UserError(
            "nothing to serve: expected --config SITE.yaml of a site, or --out RUN of a past run"
        )
    found = check_config(RunDirectory(out).config(), str(out / "config.yaml"))
    return with_options(found, [], options)
