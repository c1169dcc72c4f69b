"""Recorded detections as a source; an error names the file, the column and the row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources import Source, open_source
from pipeline.sources.recorded import RecordedSource, recorded_cameras


def row(camera_id: str, frame: int, left: float = 10.0, **values: object) -> dict[str, object]:
    return {
        "camera_id": camera_id,
        "frame_index": frame,
        "timestamp": 100 + frame / 10,
        "x1": left,
        "y1": 20.0,
        "x2": left + 30.0,
        "y2": 90.2,
        "score": 0.9,
        **values,
    }


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "found.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def opened(path: Path, camera_id: str = "a") -> Source:
    return open_source(camera_id, CameraConfig(source=str(path)))


def test_frames_in_order_with_their_detections(tmp_path: Path) -> None:
    rows = [row("a", 7), row("b", 0, 500.0), row("a", 2, 40.0), row("a", 7, 60.0)]
    source = opened(write(tmp_path, rows))
    frames = list(source.frames())
    assert [(frame.camera_id, frame.index, frame.timestamp) for frame in frames] == [
        ("a", 2, 100.2),
        ("a", 7, 100.7),
    ]
    assert frames[1].detections.boxes[:, 0].tolist() == [10.0, 60.0]
    assert frames[1].detections.boxes.dtype == np.float32
    assert frames[1].detections.scores.tolist() == pytest.approx([0.9, 0.9])
    assert frames[1].detections.embeddings is None
    assert (source.width, source.height) == (90, 91)
    assert source.fps == pytest.approx(10)
    assert (source.timestamp_origin, source.live, source.fault) == ("recorded", False, "")
    assert isinstance(source, RecordedSource)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)]
)
def test_embeddings_become_unit_vectors(tmp_path: Path, kind: pa.DataType) -> None:
    rows = [row("b", 0), row("a", 1), row("a", 0)]
    table = pa.Table.from_pylist(rows).append_column(
        "embedding", pa.array([[9.0, 9.0], [3.0, 4.0], [0.0, 2.0]], kind)
    )
    pq.write_table(table, tmp_path / "found.parquet")
    frames = list(opened(tmp_path / "found.parquet").frames())
    assert [frame.detections.embeddings.tolist() for frame in frames] == [
        [[0.0, 1.0]],
        [pytest.approx([0.6, 0.8])],
    ]


def test_one_frame_has_no_rate(tmp_path: Path) -> None:
    assert opened(write(tmp_path, [row("a", 3)])).fps == 0


def test_names_are_cleaned_as_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, [row("hall 1", 3)])
    assert recorded_cameras(str(path)) == ["hall 1"]
    assert len(list(opened(path, "hall_1").frames())) == 1


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("timestamp", float("nan"), "timestamp is missing or not a finite number in row 2"),
        ("timestamp", None, "timestamp is missing or not a finite number in row 2"),
        ("x1", float("inf"), "x1 is missing or not a finite number in row 2"),
        ("x1", 40.0, "form a box without area in row 2"),
        ("y2", 20.0, "form a box without area in row 2"),
        ("score", 1.01, "score is not between 0 and 1 in row 2"),
        ("score", -0.01, "score is not between 0 and 1 in row 2"),
        ("frame_index", -1, "frame_index is negative in row 2"),
        ("camera_id", None, "camera_id is empty in row 2"),
        ("timestamp", 100.0, "timestamp is not later than in the frame before in row 2"),
    ],
)
def test_a_wrong_value(tmp_path: Path, column: str, value: object, fault: str) -> None:
    path = write(tmp_path, [row("a", 0), row("b", 0), {**row("a", 1), column: value}])
    with pytest.raises(UserError) as caught:
        opened(path)
    assert fault in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("x2", "score"), [(10.001, 0.0), (10.001, 1.0)])
def test_values_at_the_limits_are_valid(tmp_path: Path, x2: float, score: float) -> None:
    assert len(list(opened(write(tmp_path, [row("a", 0, x2=x2, score=score)])).frames())) == 1


def test_two_times_in_one_frame(tmp_path: Path) -> None:
    path = write(tmp_path, [row("a", 0), row("a", 0, timestamp=100.01)])
    with pytest.raises(UserError, match="timestamp differs within its frame in row 1"):
        opened(path)


@pytest.mark.parametrize(
    ("vectors", "fault"),
    [
        ([[1.0, 0.0], [1.0]], "does not have 2 numbers in row 1"),
        ([[1.0, 0.0], None], "does not have 2 numbers in row 1"),
        ([[1.0, 0.0], [0.0, 0.0]], "is zero or not finite in row 1"),
        ([[1.0, 0.0], [float("nan"), 1.0]], "is zero or not finite in row 1"),
        ([[1.0, 0.0], [None, 1.0]], "is zero or not finite in row 1"),
        ([[], []], "does not have any numbers in row 0"),
    ],
)
def test_a_wrong_embedding(tmp_path: Path, vectors: list[object], fault: str) -> None:
    table = pa.Table.from_pylist([row("a", 0), row("a", 1)])
    table = table.append_column("embedding", pa.array(vectors, pa.list_(pa.float32())))
    pq.write_table(table, tmp_path / "found.parquet")
    with pytest.raises(UserError, match=f"embedding {fault}"):
        opened(tmp_path / "found.parquet")


def test_a_missing_column(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row("a", 0).items() if k not in ("score", "x2")}]
    with pytest.raises(UserError, match=r"no column x2, score\. Recorded detections need"):
        opened(write(tmp_path, rows))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("camera_id", 1, "expected text, got int64"),
        ("frame_index", 1.5, "expected whole numbers, got double"),
        ("score", "high", "expected numbers, got string"),
        ("embedding", 1.0, "expected lists of numbers, got double"),
    ],
)
def test_a_wrong_type(tmp_path: Path, column: str, value: object, expected: str) -> None:
    with pytest.raises(UserError, match=f"column {column}: {expected}"):
        opened(write(tmp_path, [{**row("a", 0), column: value}]))


def test_an_unknown_camera_and_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown camera 'hal'. Did you mean 'hall'\?"):
        opened(write(tmp_path, [row("hall", 0)]), "hal")


def test_no_rows_and_no_parquet(tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(pa.Table.from_pylist([row("a", 0)]).slice(0, 0), empty)
    with pytest.raises(UserError, match="no rows"):
        recorded_cameras(str(empty))
    text = tmp_path / "text.parquet"
    text.write_text("camera_id,frame_index\n" * 10)
    with pytest.raises(UserError, match="not a Parquet file"):
        opened(text)
    with pytest.raises(UserError, match="no such file"):
        opened(tmp_path / "none.parquet")
