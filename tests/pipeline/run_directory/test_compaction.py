"""Compaction: whatever is killed when, a reader sees every row once."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from builders import make_run, table_of
from pipeline.exports import FORMATS, export_run
from pipeline.report import write_report
from pipeline.run_directory import compaction, row_groups
from pipeline.run_directory.compaction import clean, compact, due, tables_of
from pipeline.run_directory.people_table import people
from pipeline.run_directory.reader import RunDirectory, frame_spans
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS
from pipeline.run_directory.segments import (
    covered,
    last_position,
    next_number,
    read_segments,
    segments,
    write_segment,
)
from recorder_helpers import crashed

BOX = (10.0, 20.0, 50.0, 90.0)
SEGMENTS = 9
# What changes on disk with a table: 4, 2 and 1 files appear, and 8, 4 and 2 are deleted.
STEPS = (4 + 2 + 1) + (8 + 4 + 2)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two people over 9 segments of each table."""
    rows = [("gate", frame, frame // 9 + 1, BOX) for frame in range(26)]
    rows += [("yard", frame, 1, BOX) for frame in range(5)]
    ids = {("gate", 1): 7, ("gate", 2): 8, ("gate", 3): 7, ("yard", 1): 8}
    root = make_run(tmp_path_factory.mktemp("written") / "run", rows, ids, ground=True)
    for folder, schema in tables_of(root).items():
        table = read_segments(folder, schema)
        segments(folder)[0].unlink()
        for number in range(SEGMENTS):
            # Frames of a segment need not be in order.
            mine = pa.array(list(range(number, len(table), SEGMENTS))[::-1], pa.int64())
            write_segment(folder, table.take(mine), f"{number}-0")
    return root


@pytest.fixture
def run(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A copy of what was written, compacted to files of 2, 4 and 8 segments."""
    monkeypatch.setattr(compaction, "SIZES", (2, 4, 8))
    return RunDirectory(shutil.copytree(written, tmp_path / "run"))


def compact_all(run: RunDirectory, tables: int = 4) -> None:
    # Identities, of which events are made, are the last one.
    for folder, schema in list(tables_of(run.path).items())[-tables:]:
        while blocks := due(folder):
            for paths in blocks:
                compact(paths, schema)


def results(run: RunDirectory, out: Path) -> dict[str, bytes]:
    """What is made of a run, by file."""
    for format in FORMATS:
        export_run(run, format, out / format)
    write_report(run, out / "report.html")
    files = [path for path in out.rglob("*") if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def names(folder: Path) -> list[str]:
    return [path.stem.removeprefix("part-") for path in segments(folder)]


def test_files_of_all_sizes_come_about(run: RunDirectory) -> None:
    compact_all(run)
    for folder in tables_of(run.path):
        assert names(folder) == ["00000-00007", "00008"]
        assert next_number(folder) == SEGMENTS
        assert covered(folder) == []


def test_what_is_made_of_a_run_stays_the_same_byte_for_byte(
    run: RunDirectory, tmp_path: Path
) -> None:
    before, table = results(run, tmp_path / "before"), people(run)
    compact_all(run)
    assert results(run, tmp_path / "after") == before
    assert_frame_equal(people(run), table)


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_crash_before_any_step_loses_and_doubles_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before = run.events()
    assert crashed(step, lambda: compact_all(run, 1), monkeypatch)
    assert_frame_equal(run.events(), before)
    for folder in tables_of(run.path):
        assert (next_number(folder), last_position(folder)) == (SEGMENTS, "8-0")
    clean(run.path)
    compact_all(run)
    assert_frame_equal(run.events(), before)
    for folder in tables_of(run.path):
        assert len(list(folder.iterdir())) == 2


def test_these_are_all_the_steps(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crashed(STEPS, lambda: compact_all(run, 1), monkeypatch)
    assert not crashed(2, lambda: compact_all(run, 1), monkeypatch)


def test_the_log_keeps_its_order(tmp_path: Path) -> None:
    """The last event on a track counts, whatever its time."""
    for number, owner in enumerate((5, 4, 9)):
        row = {"camera_id": "gate", "track_id": 1, "global_id": owner, "at": 10.0 - number}
        more = {"confidence": 0.5, "kind": "", "reason": "", "since": None, "state": "probable"}
        write_segment(tmp_path, table_of([{**row, **more}], IDENTITIES), "")
    compact(segments(tmp_path), IDENTITIES)
    assert read_segments(tmp_path, IDENTITIES)["global_id"].to_pylist() == [5, 4, 9]


def test_observations_are_sorted_and_have_statistics(run: RunDirectory) -> None:
    folder = run.path / "observations" / "camera_id=gate"
    path = compact(segments(folder), OBSERVATIONS)
    assert pq.read_table(path, partitioning=None)["frame_index"].to_pylist() == list(range(26))
    statistics = pq.read_metadata(path).row_group(0).column(0).statistics
    assert (statistics.min, statistics.max) == (0, 25)
    assert last_position(folder) == "8-0"


def test_a_reader_that_listed_the_folder_before_reads_again(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a listing and the opening of its first file everything is compacted."""
    expected, opened = run.observations(), Path.open
    waiting = iter([lambda: compact_all(run)])

    def late(path: Path, *arguments: str) -> object:
        if arguments == ("rb",):
            next(waiting, lambda: None)()
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", late)
    assert_frame_equal(run.observations(), expected)
    assert next(waiting, None) is None
    assert len(segments(run.path / "observations" / "camera_id=gate")) == 2


def test_only_whole_sizes_are_put_together_until_a_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "SIZES", (3,))
    for _ in range(2):
        write_segment(tmp_path, pa.table({"n": [1]}), "")
    assert due(tmp_path) == []
    assert due(tmp_path, ended=True) == [segments(tmp_path)]
    write_segment(tmp_path, pa.table({"n": [1]}), "")
    assert due(tmp_path) == [segments(tmp_path)]


def test_a_missing_number_hinders_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention deletes segments, and a single file needs no other."""
    monkeypatch.setattr(compaction, "SIZES", (3,))
    for number in (1, 2, 3, 6):
        write_segment(tmp_path, pa.table({"n": [number]}), "", number)
    (found,) = due(tmp_path)
    assert [path.name for path in found] == ["part-00001.parquet", "part-00002.parquet"]
    found[1].unlink()
    assert due(tmp_path) == []


def test_what_would_cover_a_damaged_segment_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "SIZES", (2, 4))
    for number in range(8):
        write_segment(tmp_path, pa.table({"n": [number]}), "", number)
    closed = segments(tmp_path)
    assert due(tmp_path, without={closed[1]}) == [closed[2:4], closed[4:6], closed[6:]]
    for block in due(tmp_path, without={closed[1]}):
        compact(block, pa.schema({"n": pa.int64()}))
    # The others come to the next size.
    (found,) = due(tmp_path, without={closed[1]})
    assert [path.name for path in found] == ["part-00004-00005.parquet", "part-00006-00007.parquet"]


def test_spans_of_frames_hold_every_frame_once() -> None:
    def group(first: int, last: int) -> row_groups.RowGroup:
        return row_groups.RowGroup(Path(), (0, 0), 0, 10, {"frame_index": (first, last)})

    assert frame_spans([], 20) == []
    assert frame_spans([group(0, 9), group(9, 20), group(21, 30)], 20) == [(0, 21), (21, 31)]
    # All of them overlap: they are one span.
    assert frame_spans([group(0, 9)] * 5, 20) == [(0, 10)]
