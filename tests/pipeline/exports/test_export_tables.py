"""csv, parquet and jsonl, read back with pandas, polars and pyarrow."""

from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.csv
import pyarrow.parquet
import pytest
from polars.testing import assert_frame_equal

from builders import make_run
from pipeline.corrections.editor import Editor
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory

COLUMNS = [
    *("camera_id", "frame_index", "timestamp", "time", "track_id"),
    *("global_id", "confidence", "state"),
    *("x1", "y1", "x2", "y2", "score"),
]


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True)
    return pd.read_parquet(path)


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_pandas_reads_every_row(run: RunDirectory, format: str) -> None:
    table = read(export_run(run, format))
    assert list(table.columns) == COLUMNS
    assert len(table) == 7
    assert table["global_id"].dropna().tolist() == [7, 7, 9, 7, 7, 7]
    assert table["global_id"].isna().sum() == table["confidence"].isna().sum() == 1
    first = table.iloc[0]
    assert (first["camera_id"], first["frame_index"], first["track_id"]) == ("gate", 0, 1)
    assert first[["x1", "y1", "x2", "y2"]].tolist() == pytest.approx([10.1, 20.2, 50.3, 90.4])
    assert first[["score", "confidence"]].tolist() == pytest.approx([0.8, 0.9])
    assert sorted(set(table["state"])) == ["confirmed", "unknown"]


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_ground_columns_only_where_known(tmp_path: Path, format: str) -> None:
    run = RunDirectory(make_run(tmp_path, [("a", 0, 1, (100, 20, 200, 150))], {}, ground=True))
    table = read(export_run(run, format))
    assert list(table.columns) == [*COLUMNS, "ground_x", "ground_y"]
    assert table[["ground_x", "ground_y"]].to_numpy().tolist() == [[1.0, 1.5]]


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_names_are_the_last_column_where_somebody_has_one(run: RunDirectory, format: str) -> None:
    without = export_run(run, format).read_bytes()
    Editor(run.path).name(7, 'Anna "A", 1')
    table = read(export_run(run, format))
    assert list(table.columns) == [*COLUMNS, "name"]
    assert set(table.loc[table["global_id"] == 7, "name"]) == {'Anna "A", 1'}
    assert table.loc[table["global_id"] != 7, "name"].isna().all()
    Editor(run.path).name(7, "")
    assert export_run(run, format).read_bytes() == without


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_numbers_survive_exactly(run: RunDirectory, format: str) -> None:
    path = export_run(run, format)
    readers = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    expected = run.trajectories().select(COLUMNS)
    if format == "jsonl":
        table = pl.read_ndjson(path, schema={**expected.schema, "time": pl.String})
    else:
        table = readers[format](path)
    if format != "parquet":
        table = table.with_columns(pl.col("time").str.to_datetime(time_zone="UTC"))
    assert_frame_equal(table.cast(dict(expected.schema)), expected, check_exact=True)


def test_csv_is_plain(run: RunDirectory) -> None:
    lines = export_run(run, "csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert (
        lines[1]
        == "gate,0,0.0,1970-01-01T00:00:00.000000Z,1,7,0.9,confirmed,10.1,20.2,50.3,90.4,0.8"
    )
    assert (
        lines[5] == "gate,3,0.3,1970-01-01T00:00:00.300000Z,3,,,unknown,600.0,20.0,700.0,90.0,0.8"
    )


def test_a_run_without_people_has_the_columns(empty_run: RunDirectory) -> None:
    assert pyarrow.csv.read_csv(export_run(empty_run, "csv")).column_names == COLUMNS
    table = pyarrow.parquet.read_table(export_run(empty_run, "parquet"))
    assert (table.num_rows, table.column_names) == (0, COLUMNS)
    assert str(table.schema.field("x1").type) == "float"
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert export_run(empty_run, "jsonl").read_text() == ""
