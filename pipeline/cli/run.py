"""`fusetrack run`: several cameras in, one global id per person out."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import fail, say
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
    from pipeline.monitoring.progress import ProgressMode, Tally
    from pipeline.run_directory.reader import RunDirectory


def run(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]SOURCE...",
            help="Videos, folders of images, globs, URLs, webcam indices, recorded detections.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Site configuration (YAML).")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run directory to write. Default: runs/<time>.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="YOLO model by name or path.")] = None,
    tracker: Annotated[str | None, typer.Option(help="Single-camera tracker by name.")] = None,
    reid: Annotated[str | None, typer.Option(help="ReID model by name or path.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    redis: Annotated[
        str | None, typer.Option(help="Redis URL. Default: an embedded Redis.")
    ] = None,
    save_video: Annotated[bool, typer.Option(help="Write videos with boxes and ids.")] = False,
    save_thumbnails: Annotated[bool, typer.Option(help="Keep one thumbnail per track.")] = False,
    json_events: Annotated[bool, typer.Option("--json", help="JSON events on stdout.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print errors only.")] = False,
    metrics: MetricsOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    no_watch: NoWatchOption = False,
) -> None:
    """Follow people across all SOURCES and write the run directory."""
    from pipeline.config.load import load_config
    from pipeline.config.schema import SiteConfig
    from pipeline.monitoring.progress import Tally, show_progress
    from pipeline.monitoring.web import serve_metrics
    from pipeline.run_directory.preparing import new_folder
    from pipeline.runtime.run import run_site
    from pipeline.runtime.site_options import with_options
    from pipeline.runtime.stopping import EXIT_S, READABLE, Stop, signals

    overrides = {
        "detector": {"model": detector},
        "tracker": {"name": tracker},
        "reid": {"model": reid},
        "recording": {"video": save_video or None, "thumbnails": save_thumbnails or None},
        "service": service_options(metrics, log_format, log_level),
    }

    def load() -> SiteConfig:
        base = load_config(config) if config else SiteConfig()
        return with_options(base, sources or [], {**overrides, "device": device, "redis": redis})

    site, file = load_site(config, load, no_watch=no_watch)
    configure_log(site, "run")
    mode = _mode(json_events, quiet or site.service.log_format == "json")
    stop, tally = Stop(), Tally(list(site.cameras))
    with (
        nullcontext(out) if out else new_folder(Path("runs"), datetime.now(UTC)) as folder,
        signals(stop, reloads=file is not None, exit_after_s=EXIT_S),
        show_progress(tally, mode),
        serve_metrics(site, "run", tally) as watch,
    ):
        result = run_site(site, folder, stop=stop, tally=tally, watch=watch, file=file)
    if site.recording.video:
        _write_videos(result, stopped=stop.signal is not None)
    if stop.signal is not None and stop.all.is_set():
        fail(f"stopped before all was decided and recorded. {READABLE}")
    faults = _print_result(result, tally, mode, quiet)
    sys.exit(_exit_code(stop.signal, faults))


def _mode(json_events: bool, quiet: bool) -> ProgressMode:
    if json_events:
        return "json"
    return "quiet" if quiet or not sys.stderr.isatty() else "table"


def _write_videos(result: RunDirectory, *, stopped: bool) -> None:
    from pipeline.pictures.mosaic import render_run

    if stopped:
        fail("stopped, so no videos are written")
    else:
        render_run(result)


def _print_result(result: RunDirectory, tally: Tally, mode: ProgressMode, quiet: bool) -> list[str]:
    """Print where the results are and what was incomplete; returns the faults of the input."""
    from pipeline.monitoring.progress import people_text, write_event

    faults = [
        f"{camera.camera_id}: {camera.detail}" for camera in result.cameras() if camera.detail
    ]
    if mode == "json":
        write_event({**tally.event("finished"), "run": str(result.path), "faults": faults})
    elif not quiet:
        people = tally.people()
        found = people_text(people) if people else "no people were found"
        say(f"{found}, {tally.elapsed_s():.1f} s: {result.path}")
    for fault in faults:
        fail(fault)
    return faults


def _exit_code(stopped_by: int | None, faults: list[str]) -> int:
    """128 + the signal number after SIGINT or SIGTERM, 2 if part of the input was unreadable."""
    if stopped_by is not None:
        return 128 + signal.Signals(stopped_by)
    return 2 if faults else 0
