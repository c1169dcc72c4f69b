"""`fusetrack doctor`: what works here."""

import sys

import typer

from pipeline.cli.output import console, table_of


def doctor() -> None:
    """Check devices, codecs, Redis and weights; exit code 2 when the main job cannot run."""
    from pipeline.runtime.doctor import checks

    table = table_of("what", "state", "detail")
    found = checks()
    for check in found:
        state = "ok" if check.works else ("missing" if check.needed else "not here")
        table.add_row(check.name, state, check.detail)
    console().print(table)
    if any(check.needed and not check.works for check in found):
        typer.echo("the main job cannot run: see the rows marked missing", err=True)
        sys.exit(2)
