"""csv, parquet and jsonl: the same table in three encodings.

One row per person and frame: camera_id, frame_index, timestamp (seconds UTC), time (the same as a
date), track_id, global_id, confidence and state (of the identity), x1, y1, x2, y2 (pixels), score
(of the detection), then ground_x, ground_y (metres) if any row has them, and name if anybody was
given one. Ordered by camera, frame and track. A track without an identity has an empty (csv) or
null global_id and confidence, and the state unknown.
"""

from collections.abc import Iterator
from io import BytesIO
from itertools import chain

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.run_directory.corrections import names_in, with_names
from pipeline.run_directory.reader import TRAJECTORY, RunDirectory, no_trajectories

_ROW_GROUP = 131_072
_DATE = "%Y-%m-%dT%H:%M:%S%.6fZ"


def csv(run: RunDirectory) -> Iterator[bytes]:
    """Comma-separated UTF-8 with a header line."""
    for number, rows in enumerate(_tables(run)):
        yield _dated(rows).write_csv(include_header=number == 0).encode()


def jsonl(run: RunDirectory) -> Iterator[bytes]:
    """One JSON object per line, every line with the same keys."""
    for rows in _tables(run):
        yield _dated(rows).write_ndjson().encode()


def parquet(run: RunDirectory) -> Iterator[bytes]:
    """Parquet, zstd; boxes, score and confidence are float32."""
    tables = _regrouped(rows.to_arrow() for rows in _tables(run))
    first = next(tables)
    out = _Pieces()
    with pq.ParquetWriter(out, first.schema, compression="zstd") as writer:
        for table in chain([first], tables):
            writer.write_table(table, _ROW_GROUP)
            yield out.take()
    yield out.take()


def _tables(run: RunDirectory) -> Iterator[pl.DataFrame]:
    """The rows in parts; the first of them is empty."""
    without = () if run.has_ground() else ("ground_x", "ground_y")
    columns = [name for name in TRAJECTORY if name not in without]
    names = names_in(run.path)
    yield with_names(no_trajectories().select(columns), names)
    for camera_id in run.observed():
        for rows in run.chunks(camera_id):
            yield with_names(rows.select(columns), names)


def _dated(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("time").dt.strftime(_DATE))


def _regrouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of ``_ROW_GROUP`` rows; the last has the rest."""
    held = next(tables)
    for table in tables:
        held = pa.concat_tables([held, table])
        while len(held) > _ROW_GROUP:
            yield held.slice(0, _ROW_GROUP)
            held = held.slice(_ROW_GROUP)
    yield held


class _Pieces(BytesIO):
    """A file to be written in order, of which what is written can be taken."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def tell(self) -> int:
        """The length of all that was written."""
        return self._taken + super().tell()

    def take(self) -> bytes:
        """What was written since the last call."""
        piece = self.getvalue()
        self._taken += len(piece)
        self.seek(0)
        self.truncate()
        return piece
