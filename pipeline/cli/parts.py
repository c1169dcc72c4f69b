"""`fusetrack node`, `associate` and `record`: the parts of a run, each as a process."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.output import say
from pipeline.config import SiteConfig
from pipeline.config_file import load_config
from pipeline.progress import Tally, counted
from pipeline.site import with_options

ConfigOption = Annotated[Path, typer.Option(help="Site configuration (YAML).")]
RedisOption = Annotated[str | None, typer.Option(help="Redis URL, instead of the file's.")]


def node(config: ConfigOption, redis: RedisOption = None) -> None:
    """Follow the people of each camera and send what is seen to Redis."""
    from pipeline.parts import run_node
    from pipeline.stopping import Stop, signals

    site = _site(config, redis)
    if site.recording.thumbnails or site.recording.video:
        say("thumbnails and videos are made by `fusetrack run` only: this node makes none")
    stop = Stop()
    with signals(stop):
        run_node(site, stop, Tally(list(site.cameras)))
    _exit(stop.signal)


def associate(config: ConfigOption, redis: RedisOption = None) -> None:
    """Decide which tracks of all cameras are one person, until every camera has ended."""
    from pipeline.parts import run_associator
    from pipeline.stopping import Stop, signals

    site = _site(config, redis)
    stop, tally = Stop(), Tally(list(site.cameras))
    with signals(stop):
        run_associator(site, stop, tally)
    say(counted(tally.people()))
    _exit(stop.signal)


def record(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="Run directory to write.")],
    redis: RedisOption = None,
) -> None:
    """Write the run directory, until every camera has ended."""
    from pipeline.parts import run_recorder
    from pipeline.stopping import Stop, signals

    stop = Stop()
    with signals(stop):
        result = run_recorder(_site(config, redis), out, stop)
    say(f"recorded: {result.path}")
    _exit(stop.signal)


def _site(path: Path, redis: str | None) -> SiteConfig:
    return with_options(load_config(path), [], {"redis": redis})


def _exit(stopped_by: int | None) -> None:
    if stopped_by is not None:
        sys.exit(128 + stopped_by)
