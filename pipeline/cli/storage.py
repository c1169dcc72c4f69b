"""`fusetrack compact`: puts the segments of a run together and upgrades it."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.results import RunArgument
from pipeline.errors import writing


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
