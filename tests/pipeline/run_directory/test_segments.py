import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import UserError
from pipeline.run_directory.segments import last_position, read_segments, segments, write_segment

SCHEMA = pa.schema([("n", pa.int64())])


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": numbers}, schema=SCHEMA)


def test_segments_are_numbered_and_read_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    assert write_segment(folder, rows(1, 2), "5-0") == folder / "part-00000.parquet"
    assert write_segment(folder, rows(3), "6-0") == folder / "part-00001.parquet"
    assert read_segments(folder, SCHEMA)["n"].to_pylist() == [1, 2, 3]
    assert last_position(folder) == "6-0"
    assert os.listdir(folder).count("part-00001.partial") == 0


def test_a_missing_folder_is_an_empty_table(tmp_path: Path) -> None:
    assert read_segments(tmp_path / "none", SCHEMA) == SCHEMA.empty_table()
    assert last_position(tmp_path / "none") is None


def test_the_hundred_thousandth_segment_comes_after_the_one_before(tmp_path: Path) -> None:
    write_segment(tmp_path, rows(1), "1-0").rename(tmp_path / "part-99999.parquet")
    assert write_segment(tmp_path, rows(2), "2-0").name == "part-100000.parquet"
    assert write_segment(tmp_path, rows(3), "3-0").name == "part-100001.parquet"
    assert read_segments(tmp_path, SCHEMA)["n"].to_pylist() == [1, 2, 3]
    assert last_position(tmp_path) == "3-0"


def test_a_partial_file_of_a_killed_writer_is_ignored_and_overwritten(tmp_path: Path) -> None:
    (tmp_path / "part-00000.partial").write_bytes(b"PAR1 torn")
    assert segments(tmp_path) == []
    write_segment(tmp_path, rows(1), "1-0")
    assert os.listdir(tmp_path) == ["part-00000.parquet"]


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_segment(tmp_path, rows(1), "1-0")
    assert os.listdir(tmp_path) == []


def test_other_metadata_of_the_table_is_kept(tmp_path: Path) -> None:
    table = rows(1).replace_schema_metadata({"made": "here"})
    write_segment(tmp_path, table, "1-0")
    assert last_position(tmp_path) == "1-0"
    assert pa.parquet.read_schema(tmp_path / "part-00000.parquet").metadata[b"made"] == b"here"


def test_a_segment_without_a_position_has_none(tmp_path: Path) -> None:
    pa.parquet.write_table(rows(1), tmp_path / "part-00000.parquet")
    assert last_position(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"PAR1 not a table"], ids=["empty", "torn"])
def test_a_damaged_segment_is_named(tmp_path: Path, content: bytes) -> None:
    write_segment(tmp_path, rows(1), "1-0")
    (tmp_path / "part-00001.parquet").write_bytes(content)
    for read in (lambda: read_segments(tmp_path, SCHEMA), lambda: last_position(tmp_path)):
        with pytest.raises(UserError, match=r"part-00001\.parquet is damaged: .*remove the file"):
            read()


def test_a_segment_of_another_table_is_named(tmp_path: Path) -> None:
    write_segment(tmp_path, pa.table({"m": ["x"]}), "1-0")
    with pytest.raises(UserError, match=r"part-00000\.parquet is damaged"):
        read_segments(tmp_path, SCHEMA)
