"""Writes the statistics of a run as csv or parquet files, one for each table."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import polars as pl
import polars.selectors as cs

from pipeline.analytics.statistics import Statistics
from pipeline.errors import unknown_name
from pipeline.exports.write import write_folder
from pipeline.run_directory.corrections import with_names

FORMATS = ("csv", "parquet")
_DATE = "%Y-%m-%dT%H:%M:%S%.6fZ"
# The moment of a row, as a date in the column `time`.
_MOMENT = {
    "visits": "start",
    "transitions": "entered",
    "occupancy": "start",
    "crossings": "timestamp",
}
# The tables of which a row is about one person.
_OF_PEOPLE = ("visits", "transitions", "crossings", "speeds")


def write_tables(statistics: Statistics, format: str, out: Path) -> None:
    """Write the tables of `tables_of` into the folder ``out``.

    Raises UserError for an unknown format and a folder that cannot be written.
    """
    if format not in FORMATS:
        raise unknown_name("format of statistics", format, FORMATS)
    files = tables_of(statistics).items()
    write_folder([(f"{name}.{format}", _encoded(table, format)) for name, table in files], out)


def tables_of(statistics: Statistics) -> dict[str, pl.DataFrame]:
    """The tables by name, with the columns ``time``, the moment of a row as a date, and ``name`` of
    the person, if anybody was given one.
    """
    names = ("visits", "dwell", "transitions", "occupancy", "people", "crossings", "speeds")
    tables = {name: getattr(statistics, name) for name in names}
    dated = {name: _dated(tables[name], moment) for name, moment in _MOMENT.items()}
    whole = {name: dated.get(name, table) for name, table in tables.items()}
    whole |= {name: with_names(whole[name], statistics.names) for name in _OF_PEOPLE}
    return {name: table.with_columns(cs.float().round(6)) for name, table in whole.items()}


def _dated(table: pl.DataFrame, moment: str) -> pl.DataFrame:
    micros = (pl.col(moment) * 1e6).round().cast(pl.Int64)
    date = pl.from_epoch(micros, "us").dt.replace_time_zone("UTC")
    return table.with_columns(date.alias("time"))


def _encoded(table: pl.DataFrame, format: str) -> Iterator[bytes]:
    out = BytesIO()
    if format == "csv":
        table.write_csv(out, datetime_format=_DATE)
    else:
        table.write_parquet(out)
    yield out.getvalue()
