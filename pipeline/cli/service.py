"""The options of a process that works for long: its log, and how it is watched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.config.schema import SiteConfig
    from pipeline.runtime.reload import SiteFile


MetricsOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Serve /metrics, /healthz and /readyz here."),
]
LogFormatOption = Annotated[str | None, typer.Option(help="Lines of the log: text or json.")]
LogLevelOption = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
NoWatchOption = Annotated[
    bool,
    typer.Option("--no-watch", help="Read the file of a live site again on SIGHUP only."),
]


def loaded(
    path: Path | None, load: Callable[[], SiteConfig], *, no_watch: bool
) -> tuple[SiteConfig, SiteFile | None]:
    """The configuration, and the file at ``path`` if cameras may come and go with it."""
    from pipeline.runtime.reload import SiteFile
    from pipeline.sources.source_kinds import is_live

    # What is written while it is read counts as a change.
    file = SiteFile(path, load, watched=not no_watch) if path else None
    site = load()
    return site, file if is_live(site) else None


def service_options(
    metrics: str | None, log_format: str | None, log_level: str | None
) -> dict[str, object]:
    """The options as values of the configuration's section `service`."""
    from pipeline.monitoring import logs

    if log_format == "json":
        # Also for what is wrong with the configuration itself.
        logs.configure("json", "warning")
    return {"metrics": metrics, "log_format": log_format, "log_level": log_level}


def begin_log(config: SiteConfig, part: str) -> None:
    """From now on the log is as ``config`` says, and each line about ``part`` of its site."""
    from pipeline.monitoring import logs

    service = config.service
    logs.configure(service.log_format, service.log_level, part=part, site=config.site)
