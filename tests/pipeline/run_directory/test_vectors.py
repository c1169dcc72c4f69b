"""Matrices of the vectors of tracklets."""

import os
from pathlib import Path

import numpy as np
import pytest

from builders import table_of
from pipeline.errors import UserError
from pipeline.run_directory import vectors as of_run
from pipeline.run_directory.rewriting import rewrite_all
from pipeline.run_directory.row_groups import row_groups
from pipeline.run_directory.schema import TRACKLETS
from pipeline.run_directory.segments import write_segment
from pipeline.run_directory.vectors import matrices, remove_stale


def write(root: Path, *vectors: list[float] | None) -> Path:
    rows = [
        {
            **{"camera_id": "gate", "track_id": n, "start": 0.0, "end": 1.0, "n": 1},
            **{"embedding": vector, "quality": 0.5, "thumbnail": None},
        }
        for n, vector in enumerate(vectors)
    ]
    return write_segment(root / "tracklets", table_of(rows, TRACKLETS), "1-0")


def read(root: Path) -> list[list[float]]:
    found = matrices(root, row_groups(root / "tracklets"), "embedding", 2)
    return np.concatenate([np.zeros((0, 2), np.float16), *found]).tolist()


@pytest.fixture(params=[1, 3], ids=["mapped", "some read"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(of_run, "_FEWEST_ROWS", request.param)
    return tmp_path


def test_rows_are_those_of_the_segments_in_order(root: Path) -> None:
    assert read(root) == []
    write(root, [1.0, 0.0], None, [0.5, 0.25])
    write(root, [1.0, 0.0, 0.0], [0.0, 1.0])
    expected = [[1, 0], [0, 0], [0.5, 0.25], [0, 0], [0, 1]]
    assert read(root) == expected
    files = sorted((root / "search").glob("*"))
    assert len(files) == (2 if of_run._FEWEST_ROWS == 1 else 1)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    before = [file.stat().st_mtime_ns for file in files]
    assert read(root) == expected
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_matrix_of_a_changed_segment_is_neither_used_nor_kept(root: Path) -> None:
    write(root, [1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.25, 0.0])
    last = write(root, [0.0, 1.0], [0.0, 0.5], [0.0, 0.25])
    read(root)
    rewrite_all(root / "tracklets", TRACKLETS, lambda rows: rows[1:])
    assert remove_stale(root) == 2
    assert read(root) == [[0, 1], [0.5, 0.5], [0.25, 0], [0, 0.5], [0, 0.25]]
    last.unlink()
    remove_stale(root)
    assert not list((root / "search").glob("part-00001*"))
    assert read(root) == [[0, 1], [0.5, 0.5], [0.25, 0]]


def test_a_damaged_matrix_is_made_again(root: Path) -> None:
    write(root, [1.0, 0.0], [0.0, 1.0], [0.5, 0.5])
    expected = read(root)
    (file,) = (root / "search").glob("*")
    file.write_bytes(file.read_bytes()[:-4])
    assert read(root) == expected
    file.write_bytes(b"")
    assert read(root) == expected


def test_a_folder_that_may_only_be_read_is_left_as_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, [1.0, 0.0], [0.0, 1.0], [0.5, 0.5])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert read(root) == [[1, 0], [0, 1], [0.5, 0.5]]
    assert not (root / "search").exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    for name in ("a.npy", "a.b.npy", ".npy", "part-00000.x.1.2.npy"):
        (tmp_path / "search" / name).touch()
    assert remove_stale(tmp_path) == 1


def test_a_folder_elsewhere_gets_no_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_run, "_FEWEST_ROWS", 1)
    write(tmp_path / "run", [1.0, 0.0])
    (tmp_path / "search").mkdir()
    (tmp_path / "run" / "search").symlink_to(tmp_path / "search")
    with pytest.raises(UserError, match="is not inside it"):
        read(tmp_path / "run")
    assert list((tmp_path / "search").iterdir()) == []
