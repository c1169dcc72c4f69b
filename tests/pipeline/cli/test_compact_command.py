"""`fusetrack compact` on a run that was never compacted."""

from pathlib import Path

import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from builders import make_run
from pipeline.cli.main import app
from pipeline.errors import UserError
from pipeline.run_directory.compaction import tables_of
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.layout import version_of
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import VERSION
from pipeline.run_directory.segments import read_segments, segments, write_segment


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three segments of each table, of version 1."""
    rows = [("gate", frame, 1 + frame // 3, (1.0, 2.0, 3.0, 4.0)) for frame in range(9)]
    root = make_run(tmp_path / "run", rows, {("gate", n): 7 for n in (1, 2, 3)})
    for folder, schema in tables_of(root).items():
        table = read_segments(folder, schema)
        segments(folder)[0].unlink()
        for number in range(3):
            write_segment(folder, table.take(pa.array(range(number, len(table), 3))), "")
    (root / "observations" / "camera_id=gate").rename(root / "observations" / "camera=gate")
    (root / "schema.json").unlink()
    return root


def test_it_leaves_one_file_of_each_table(run: Path) -> None:
    before = RunDirectory(run).trajectories()
    result = CliRunner().invoke(app, ["compact", str(run)])
    assert (result.exit_code, result.stdout) == (0, "9 segments are now 3\n")
    assert version_of(run) == VERSION
    assert_frame_equal(RunDirectory(run).trajectories(), before)
    again = CliRunner().invoke(app, ["compact", str(run)])
    assert again.stdout == "3 segments are now 3\n"


def test_a_run_that_is_recorded_is_left_alone(run: Path) -> None:
    with exclusive_writer(run):
        result = CliRunner().invoke(app, ["compact", str(run)])
    assert isinstance(result.exception, UserError)
    assert "another recorder writes to" in str(result.exception)
    assert version_of(run) == 1
