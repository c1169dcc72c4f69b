"""`fusetrack forget`, `compact` and `doctor`: the upkeep of runs and of the installation."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import console, say, table_of
from pipeline.cli.results import (
    CamerasOption,
    RunArgument,
    RunningRedisOption,
    RunningSiteOption,
    SinceOption,
    UntilOption,
)
from pipeline.errors import UserError, writing

if TYPE_CHECKING:
    from pipeline.config.schema import RetentionConfig


def forget(
    run: RunArgument,
    identity: Annotated[
        int | None, typer.Option(help="Global id of the person.", show_default=False)
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Remove everything older than its retention.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Site configuration (YAML): retention and Redis.")
    ] = None,
    redis: RunningRedisOption = None,
    site: RunningSiteOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the running site.")] = 30.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Remove a person from a run and its running site, or a run's expired data.

    `--since`, `--until` and `--camera` remove a part of a person from a run that has ended.
    """
    from pipeline.config.load import load_config
    from pipeline.run_directory.rewriting import removed_text
    from pipeline.run_directory.selection import selection_of
    from pipeline.runtime.forget_request import (
        ForgetOutcome,
        SiteAddress,
        forget_person,
        forget_person_dry_run,
        remove_expired,
    )

    if (identity is None) != expired:
        raise UserError("nothing to remove: expected one of --identity ID and --expired")
    part = selection_of(since, until, camera)
    if expired and not part.is_everything:
        raise UserError("--since, --until and --camera work with --identity ID only")
    given = load_config(config) if config else None
    if identity is None:
        if dry_run:
            raise UserError("--dry-run works with --identity ID only: omit it with --expired")
        retention = given.retention if given else _own_retention(run)
        outcome: ForgetOutcome = remove_expired(run, retention, time.time)
    elif dry_run:
        outcome = forget_person_dry_run(run, identity, part)
    else:
        url = redis or (given.redis if given else None)
        outcome = forget_person(run, identity, SiteAddress(url, site, timeout), part)
    if as_json:
        request = {"run": str(run), "identity": identity, "dry_run": dry_run}
        removed = dict(sorted(outcome.removed.items()))
        typer.echo(json.dumps({**request, "removed": removed, "notes": outcome.notes}))
        return
    what = "expired data" if identity is None else f"identity {identity}"
    typer.echo(
        f"{'would remove' if dry_run else 'removed'} {what}: {removed_text(outcome.removed)}"
    )
    for note in outcome.notes:
        say(note)


def _own_retention(run: Path) -> RetentionConfig:
    from pipeline.config.load import check_config
    from pipeline.run_directory.reader import RunDirectory

    return check_config(RunDirectory(run).config(), str(run / "config.yaml")).retention


def compact(run: RunArgument) -> None:
    """Put the segments of a run together and upgrade it; its recorder must not be running.

    A recorder does the same while it records: this is for older runs, and before a backup.
    """
    from pipeline.run_directory.durable import exclusive_writer
    from pipeline.run_directory.reader import RunDirectory

    RunDirectory(run)
    with writing(f"to {run}", "Expected a writable folder with free space"), exclusive_writer(run):
        before, after = _compact(run)
    typer.echo(f"{before} segments are now {after}")


def _compact(run: Path) -> tuple[int, int]:
    from pipeline.run_directory.compaction import clean, compact_all, tables_of
    from pipeline.run_directory.layout import check_contained, upgrade
    from pipeline.run_directory.segments import segments

    check_contained(run)
    upgrade(run)
    clean(run)
    before = sum(len(segments(folder)) for folder in tables_of(run))
    compact_all(run)
    return before, sum(len(segments(folder)) for folder in tables_of(run))


def doctor() -> None:
    """Check devices, codecs, Redis and weights; exit code 2 if `fusetrack run` cannot work."""
    from pipeline.runtime.doctor import checks

    table = table_of("component", "state", "detail")
    found = checks()
    for check in found:
        state = "ok" if check.works else ("missing" if check.needed else "not available")
        table.add_row(check.name, state, check.detail)
    console().print(table)
    if any(check.needed and not check.works for check in found):
        typer.echo("`fusetrack run` cannot work: see the rows marked missing", err=True)
        sys.exit(2)
