"""The recorder puts segments together beside recording."""

import logging
from pathlib import Path

import pyarrow as pa
import pytest

from builders import camera, make_run
from pipeline.recorder.compaction import Compaction
from pipeline.run_directory import compaction
from pipeline.run_directory.schema import OBSERVATIONS
from pipeline.run_directory.segments import read_segments, segments, write_segment

BOX = (10.0, 20.0, 50.0, 90.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten segments of a camera, one row in each."""
    monkeypatch.setattr(compaction, "SIZES", (2, 4))
    rows = [("gate", frame, 1, BOX) for frame in range(10)]
    root = make_run(tmp_path / "run", rows, {}, cameras=[camera("gate")])
    folder = root / "observations" / "camera_id=gate"
    table = read_segments(folder, OBSERVATIONS)
    for path in folder.iterdir():
        path.unlink()
    for index in range(10):
        write_segment(folder, table.slice(index, 1), "{}")
    return folder


def run(folder: Path, times: int = 5) -> None:
    work = Compaction(folder.parents[1])
    for _ in range(times):
        work.run(lambda: None, lambda: 0.0)


def test_segments_come_to_their_sizes(folder: Path) -> None:
    run(folder)
    names = ["part-00000-00003", "part-00004-00007", "part-00008-00009"]
    assert [path.stem for path in segments(folder)] == names
    assert read_segments(folder, OBSERVATIONS)["frame_index"].to_pylist() == list(range(10))


def test_a_damaged_segment_keeps_only_its_neighbours_small(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = segments(folder)[5]
    whole = damaged.read_bytes()
    damaged.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        run(folder)
    names = ["part-00000-00003", "part-00004", "part-00005", "part-00006-00007", "part-00008-00009"]
    assert [path.stem for path in segments(folder)] == names
    # It is named once.
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{damaged} is damaged")
    damaged.write_bytes(whole)
    rows = pa.compute.sort_indices(read_segments(folder, OBSERVATIONS)["frame_index"])
    assert len(rows) == 10
