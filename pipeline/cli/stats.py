"""`fusetrack stats`: counts of people by place and time, as tables and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import console, table_of
from pipeline.cli.results import CamerasOption, RunArgument, SinceOption, UntilOption

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.analytics.statistics import Statistics
    from pipeline.config.schema import SiteConfig
    from pipeline.run_directory.reader import RunDirectory


def stats(
    run: RunArgument,
    config: Annotated[
        Path | None,
        typer.Option(help="Site configuration with other zones and lines than those of the run."),
    ] = None,
    format: Annotated[str, typer.Option(help="Format of the tables: csv or parquet.")] = "csv",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the tables. Default: RUN/stats.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Also write a page with charts.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print counts as JSON; write nothing.")
    ] = False,
    gap: Annotated[
        float, typer.Option(min=0.1, help="Seconds out of sight that end a visit.")
    ] = 2.0,
    every: Annotated[
        float, typer.Option(min=1, help="Seconds of each row of the occupancy.")
    ] = 60.0,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Count people: visits, transitions, occupancy, dwell, speed, and crossings of lines.

    Cameras, zones, lines and the whole site; a person in two cameras counts once.
    """
    from pipeline.analytics.statistics import statistics_of
    from pipeline.analytics.tables import write_tables
    from pipeline.run_directory.layout import contained_folder
    from pipeline.run_directory.reader import RunDirectory
    from pipeline.run_directory.selection import selection_of

    directory = RunDirectory(run, selection_of(since, until, camera))
    found = statistics_of(directory, _config(directory, config), gap_s=gap, every_s=every)
    if as_json:
        typer.echo(json.dumps(_counts(found)))
        return
    folder = out or contained_folder(run, "stats")
    write_tables(found, format, folder)
    console().print(_places(found))
    if found.dwell.height:
        console().print(_dwell(found))
    if found.lines.height:
        console().print(_lines(found))
    typer.echo(folder)
    if html:
        from pipeline.report.statistics import write_statistics

        typer.echo(write_statistics(found, folder / "statistics.html"))


def _config(run: RunDirectory, other: Path | None) -> SiteConfig:
    from pipeline.config.load import check_config, load_config

    config = check_config(run.config(), str(run.path / "config.yaml"))
    if other is None:
        return config
    given = load_config(other)
    return config.model_copy(update={"zones": given.zones, "lines": given.lines})


def _counts(found: Statistics) -> dict[str, object]:
    """The counts over the whole time, ready for json."""
    return {
        "site": found.site,
        "places": found.places().to_dicts(),
        "dwell": found.dwell.to_dicts(),
        "lines": found.lines.to_dicts(),
        "flow": found.flow().to_dicts(),
        "unidentified": found.unidentified,
    }


def _places(found: Statistics) -> Table:
    table = table_of(
        *("kind", "place", "people", "visits", "mean", "longest", "most at once"), title="places"
    )
    for row in found.places().iter_rows(named=True):
        seconds = (f"{row[name]:.1f} s" for name in ("mean_s", "longest_s"))
        counts = (str(row[name]) for name in ("people", "visits"))
        table.add_row(row["kind"], row["place"], *counts, *seconds, str(row["most"]))
    return table


def _dwell(found: Statistics) -> Table:
    columns = ("zone", "people", "visits", "median", "95 % at most", "longest")
    table = table_of(*columns, title="dwell")
    for zone, people, visits, *times in found.dwell.iter_rows():
        seconds = ("-" if value is None else f"{value:.1f} s" for value in times)
        table.add_row(zone, str(people), str(visits), *seconds)
    return table


def _lines(found: Statistics) -> Table:
    table = table_of("line", "direction", "crossings", "people", title="lines")
    for row in found.lines.iter_rows():
        table.add_row(*map(str, row))
    return table
