"""Recorded detections as a source: a Parquet file in place of pictures and detector."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import UserError, unknown_name
from pipeline.sources.camera_names import clean_name
from pipeline.sources.files import readable_file
from pipeline.sources.recorded_check import check_order, check_rows, check_schema, unit_vectors
from pipeline.sources.source import RecordedFrame
from trackers.detections import Detections

__all__ = ["RecordedFrame", "RecordedSource", "recorded_cameras"]

_BOX = ("x1", "y1", "x2", "y2")


class RecordedSource:
    """One camera of a file with camera_id, frame_index, timestamp, x1, y1, x2, y2, score.

    An ``embedding`` column (a list of numbers a row) is taken along as unit vectors. The file's
    timestamps are kept, whatever start the configuration gives. ``width`` and ``height`` are the
    furthest box edges rounded up. Raises UserError that names the file, the column and the row
    (the first is 0) when something is missing or wrong.
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

    def frames(self) -> Iterator[RecordedFrame]:
        """Every frame that has a person in it, by frame index."""
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
    """The rows of one camera, and where in the file they stand."""
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
        check_schema(path, pq.read_schema(path))
        return pq.ParquetFile(path).read(columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} is not a Parquet file that can be read: {str(error).splitlines()[0]}"
        ) from error


def _rate(index: NDArray[np.int64], timestamp: NDArray[np.float64]) -> float:
    span = float(timestamp[-1] - timestamp[0])
    return float(index[-1] - index[0]) / span if span > 0 else 0.0
