"""`fusetrack serve`: the live API of a site, as a separate process."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.output import say
from pipeline.cli.parts import ConfigOption, RedisOption
from pipeline.cli.results import CamerasOption, SinceOption, UntilOption
from pipeline.cli.service import LogFormatOption, LogLevelOption, configure_log, service_options


def serve(
    config: ConfigOption,
    out: Annotated[
        Path | None, typer.Option(help="Run directory of the recorder, for the full history.")
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
    """Serve the cameras, people, events and pictures of a site over HTTP.

    `--since`, `--until` and `--camera` narrow what is shown of the run directory.
    """
    from pipeline.api.server import serve as serve_site
    from pipeline.config.load import load_config
    from pipeline.run_directory.selection import selection_of
    from pipeline.runtime.site_options import with_options
    from pipeline.runtime.stopping import EXIT_S, Stop, signals

    options: dict[str, object] = {
        "redis": redis,
        "api": {"listen": listen},
        "service": service_options(None, log_format, log_level),
    }
    site = with_options(load_config(config), [], options)
    configure_log(site, "api")
    stop = Stop()
    part = selection_of(since, until, camera)
    with signals(stop, exit_after_s=EXIT_S):
        serve_site(site, out, stop, lambda address: say(f"listening on {address}"), part)
    if stop.signal is not None:
        sys.exit(128 + stop.signal)
