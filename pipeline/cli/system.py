"""`fusetrack doctor`: check the installation."""

import sys

import typer

from pipeline.cli.output import console, table_of


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
