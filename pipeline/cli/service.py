"""Options of long-running processes: logging, metrics and reloading."""

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
    typer.Option(metavar="HOST:PORT", help="Address to serve /metrics, /healthz and /readyz on."),
]
LogFormatOption = Annotated[str | None, typer.Option(help="Format of log lines: text or json.")]
LogLevelOption = Annotated[
    str | None, typer.Option(help="Log level: debug, info, warning or error.")
]
NoWatchOption = Annotated[
    bool,
    typer.Option("--no-watch", help="Reload the file of a live site on SIGHUP only."),
]


def load_site(
    path: Path | None, load: Callable[[], SiteConfig], *, no_watch: bool
) -> tuple[SiteConfig, SiteFile | None]:
    """The configuration, and the file at ``path`` if its cameras can change during the run."""
    from pipeline.runtime.reload import SiteFile
    from pipeline.sources.source_kinds import is_live

    # Created before reading, so that a write during the read counts as a change.
    file = SiteFile(path, load, watched=not no_watch) if path else None
    site = load()
    return site, file if is_live(site) else None


def service_options(
    metrics: str | None, log_format: str | None, log_level: str | None
) -> dict[str, object]:
    """The options as values of the section `service` of the configuration."""
    from pipeline.monitoring import logs

    if log_format == "json":
        # Errors in the configuration itself must be JSON too.
        logs.configure("json", "warning")
    return {"metrics": metrics, "log_format": log_format, "log_level": log_level}


def configure_log(config: SiteConfig, part: str) -> None:
    """Set format and level of the log from ``config``; each line names ``part`` and the site."""
    from pipeline.monitoring import logs

    service = config.service
    logs.configure(service.log_format, service.log_level, part=part, site=config.site)
