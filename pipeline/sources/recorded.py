"""Recorded detections as a source: a Parquet file instead of video and detector."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import UserError, unknown_name
from pipeline.sources.files import readable_file
from pipeline.sources.source import RecordedFrame
from pipeline.sources.source_kinds import clean_name
from trackers.detections import Detections, valid_boxes

_NUMBERS = ("timestamp", "x1", "y1", "x2", "y2", "score")
# Embeddings that are made unit vectors at once, in float64.
_AT_ONCE = 1024
_REQUIRED = ("camera_id", "frame_index", *_NUMBERS)


def check_schema(path: Path, schema: pa.Schema) -> None:
    """Raise UserError for a missing column or one of the wrong type."""
    missing = [name for name in _REQUIRED if name not in schema.names]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}. Recorded detections need the columns "
            f"{', '.join(_REQUIRED)}, and optionally embedding"
        )
    _expect(path, schema, "camera_id", "text", _is_text)
    _expect(path, schema, "frame_index", "whole numbers", pa.types.is_integer)
    for name in _NUMBERS:
        _expect(path, schema, name, "numbers", _is_number)
    if "embedding" in schema.names:
        _expect(path, schema, "embedding", "lists of numbers", _is_vector)


def check_rows(
    path: Path, table: pa.Table, rows: NDArray[np.intp]
) -> dict[str, NDArray[np.float64]]:
    """The numeric columns of ``table`` as float64; ``rows`` are the row numbers in the file.

    Raises UserError for a missing or non-finite value, a score outside 0..1, a negative frame
    index or a box without area.
    """
    names = ("frame_index", *_NUMBERS)
    columns = {name: _finite(path, table, name, rows) for name in names}
    _refuse(path, "frame_index", columns["frame_index"] < 0, rows, "is negative")
    score = columns["score"]
    _refuse(path, "score", (score < 0) | (score > 1), rows, "is not between 0 and 1")
    boxes = np.stack([columns[name] for name in ("x1", "y1", "x2", "y2")], axis=1)
    flat = ~valid_boxes(boxes.astype(np.float32))
    _refuse(path, "x1, y1, x2, y2", flat, rows, "form a box without area")
    return columns


def check_order(
    path: Path,
    index: NDArray[np.int64],
    timestamp: NDArray[np.float64],
    rows: NDArray[np.intp],
) -> None:
    """Raise UserError unless each frame has one timestamp and timestamps increase.

    The arrays are ``(N,)``, sorted by ``index``.
    """
    frame_step, time_step = np.diff(index), np.diff(timestamp)
    differs = (frame_step == 0) & (time_step != 0)
    _refuse(path, "timestamp", differs, rows[1:], "differs within its frame")
    back = (frame_step > 0) & (time_step <= 0)
    _refuse(path, "timestamp", back, rows[1:], "is not later than in the frame before")


def unit_vectors(path: Path, table: pa.Table, rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
    """The embedding column as ``(N, D)`` float32 unit vectors; None without such a column.

    Raises UserError for a missing vector, one of different length, or a zero or non-finite one.
    """
    if "embedding" not in table.column_names:
        return None
    vectors = table.column("embedding").combine_chunks()
    counts = np.asarray(pc.fill_null(pc.list_value_length(vectors), -1).to_numpy())
    size = int(max(counts[0], 0)) if len(counts) else 0
    odd = (counts != size) | (size == 0)
    _refuse(path, "embedding", odd, rows, f"does not have {size or 'any'} numbers")
    # A null inside a vector becomes NaN.
    values = vectors.flatten().to_numpy(zero_copy_only=False).reshape(-1, size)
    units = np.empty(values.shape, np.float32)
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE].astype(np.float64)
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        wrong = ~(np.isfinite(lengths) & (lengths > 0))[:, 0]
        _refuse(path, "embedding", wrong, rows[start:], "is zero or not finite")
        units[start : start + _AT_ONCE] = part / lengths
    return units


def _finite(path: Path, table: pa.Table, name: str, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    values = table.column(name).cast(pa.float64()).to_numpy()
    _refuse(path, name, ~np.isfinite(values), rows, "is missing or not a finite number")
    return np.asarray(values, dtype=np.float64)


def _refuse(
    path: Path, column: str, wrong: NDArray[np.bool_], rows: NDArray[np.intp], fault: str
) -> None:
    if wrong.any():
        row = rows[int(np.flatnonzero(wrong)[0])]
        raise UserError(f"{path}: {column} {fault} in row {row} (the first is 0)")


def _expect(
    path: Path, schema: pa.Schema, name: str, expected: str, accepts: Callable[[pa.DataType], bool]
) -> None:
    kind = schema.field(name).type
    if not accepts(kind):
        raise UserError(f"{path}: column {name}: expected {expected}, got {kind}")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _is_vector(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool((lists or pa.types.is_fixed_size_list(kind)) and _is_number(kind.value_type))


__all__ = ["RecordedFrame", "RecordedSource", "recorded_cameras"]

_BOX = ("x1", "y1", "x2", "y2")


class RecordedSource:
    """One camera of a file with camera_id, frame_index, timestamp, x1, y1, x2, y2, score.

    An ``embedding`` column (a list of numbers per row) is read as unit vectors. The file's
    timestamps are kept; a configured start is ignored. ``width`` and ``height`` are the largest
    box edges rounded up. Raises UserError that names the file, the column and the row (counted
    from 0) when something is missing or wrong.
    """

    live = False
    timestamp_origin = "recorded"

    def __init__(self, camera_id: str, source: str) -> None:
        self.camera_id = camera_id
        self.fault = ""
        path = readable_file(source)
        table, rows = _rows_of(path, camera_id)
        columns = check_rows(path, table, rows)
        self._index = columns["frame_index"].astype(np.int64)
        order = np.argsort(self._index, kind="stable")
        check_order(path, self._index[order], columns["timestamp"][order], rows[order])
        self._index = self._index[order]
        self._timestamp = columns["timestamp"][order]
        self._boxes = np.stack([columns[name] for name in _BOX], axis=1)[order].astype(np.float32)
        self._scores = columns["score"][order].astype(np.float32)
        embeddings = unit_vectors(path, table, rows)
        self._embeddings = None if embeddings is None else embeddings[order]
        self.width, self.height = (int(edge) for edge in np.ceil(self._boxes[:, 2:].max(axis=0)))
        self.fps = _rate(self._index, self._timestamp)
        self.span = float(self._timestamp[0]), float(self._timestamp[-1])

    def frames(self) -> Iterator[RecordedFrame]:
        """Every frame with at least one detection, by frame index."""
        indices, starts = np.unique(self._index, return_index=True)
        ends = [*starts[1:], len(self._index)]
        for index, start, end in zip(indices, starts, ends, strict=True):
            part = slice(start, end)
            yield RecordedFrame(
                self.camera_id, int(index), float(self._timestamp[start]), self._detections(part)
            )

    def _detections(self, part: slice) -> Detections:
        embeddings = None if self._embeddings is None else self._embeddings[part]
        return Detections(self._boxes[part], self._scores[part], embeddings=embeddings)


def recorded_cameras(source: str) -> list[str]:
    """The ``camera_id`` values of a file of recorded detections, sorted. Raises UserError."""
    path = readable_file(source)
    names = {str(name) for name in _camera_column(path, _read(path, ["camera_id"]))}
    if not names:
        raise UserError(f"{path} holds no detections: it has no rows")
    return sorted(names)


def _rows_of(path: Path, camera_id: str) -> tuple[pa.Table, NDArray[np.intp]]:
    """The rows of one camera, and their row numbers in the file."""
    table = _read(path, None)
    cameras = [clean_name(str(name)) for name in _camera_column(path, table)]
    rows = np.flatnonzero(np.array(cameras, dtype=object) == camera_id)
    if not len(rows):
        raise UserError(f"{path}: {unknown_name('camera', camera_id, set(cameras))}")
    return table.take(pa.array(rows)), rows


def _camera_column(path: Path, table: pa.Table) -> list[object]:
    values = table.column("camera_id").to_pylist()
    if None in values:
        raise UserError(f"{path}: camera_id is empty in row {values.index(None)}")
    return list(values)


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        # Arrow opens no file whose name is not UTF-8.
        with path.open("rb") as file:
            table = pq.ParquetFile(file)
            check_schema(path, table.schema_arrow)
            return table.read(columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} is not a Parquet file that can be read: {str(error).splitlines()[0]}"
        ) from error


def _rate(index: NDArray[np.int64], timestamp: NDArray[np.float64]) -> float:
    span = float(timestamp[-1] - timestamp[0])
    return float(index[-1] - index[0]) / span if span > 0 else 0.0
