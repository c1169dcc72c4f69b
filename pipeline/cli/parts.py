"""`fusetrack node`, `associate` and `record`: the parts of a run, each as a process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import say
from pipeline.cli.service import (
    LogFormatOption,
    LogLevelOption,
    MetricsOption,
    NoWatchOption,
    begin_log,
    loaded,
    service_options,
)

if TYPE_CHECKING:
    from pipeline.config.schema import SiteConfig
    from pipeline.runtime.reload import SiteFile

ConfigOption = Annotated[Path, typer.Option(help="Site configuration (YAML).")]
RedisOption = Annotated[
    str | None, typer.Option(envvar="FUSETRACK_REDIS", help="Redis URL, instead of the file's.")
]


def node(
    config: ConfigOption,
    redis: RedisOption = None,
    cameras: Annotated[
        str | None, typer.Option(help="Those that this node follows: NAME,NAME; all if left out.")
    ] = None,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Follow the people of each camera and send what is seen to Redis."""
    from pipeline.monitoring.progress import Tally
    from pipeline.monitoring.web import serve_metrics
    from pipeline.runtime.processes import run_node
    from pipeline.runtime.stopping import Stop, signals

    service = service_options(metrics, log_format, log_level)
    site, file = _site("node", config, redis, service, no_watch=no_watch, only=cameras)
    if site.recording.thumbnails or site.recording.video:
        say("thumbnails and videos are made by `fusetrack run` only: this node makes none")
    stop, tally = Stop(), Tally(list(site.cameras))
    with signals(stop, reloads=file is not None), serve_metrics(site, "node", tally) as watch:
        run_node(site, stop, tally, watch, file)
    _exit(stop.signal)


def associate(
    config: ConfigOption,
    redis: RedisOption = None,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Decide which tracks of all cameras are one person, until every camera has ended."""
    from pipeline.monitoring.progress import Tally, people_text
    from pipeline.monitoring.web import serve_metrics
    from pipeline.runtime.processes import run_associator
    from pipeline.runtime.stopping import Stop, signals

    service = service_options(metrics, log_format, log_level)
    site, file = _site("associator", config, redis, service, no_watch=no_watch)
    stop, tally = Stop(), Tally(list(site.cameras))
    with signals(stop, reloads=file is not None), serve_metrics(site, "associator", tally) as watch:
        run_associator(site, stop, tally, watch, file)
    say(people_text(tally.people()))
    _exit(stop.signal)


def record(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="Run directory to write.")],
    redis: RedisOption = None,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Write the run directory, until every camera has ended."""
    from pipeline.monitoring.progress import Tally
    from pipeline.monitoring.web import serve_metrics
    from pipeline.runtime.processes import run_recorder
    from pipeline.runtime.stopping import Stop, signals

    service = service_options(metrics, log_format, log_level)
    site, file = _site("recorder", config, redis, service, no_watch=no_watch)
    stop, tally = Stop(), Tally(list(site.cameras))
    with signals(stop, reloads=file is not None), serve_metrics(site, "recorder", tally) as watch:
        result = run_recorder(site, out, stop, watch, file)
    say(f"recorded: {result.path}")
    _exit(stop.signal)


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
        # One that was there may be removed.
        return cameras_of(config, [name for name in wanted if name in config.cameras])

    if wanted is not None:
        with_cameras_only(load_all(), wanted)
    config, file = loaded(path, load, no_watch=no_watch)
    begin_log(config, part)
    return config, file


def _exit(stopped_by: int | None) -> None:
    if stopped_by is not None:
        sys.exit(128 + stopped_by)
