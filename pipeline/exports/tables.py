"""csv, parquet and jsonl: the same table in three encodings.

One row per person and frame: camera_id, frame_index, timestamp (seconds UTC), track_id, global_id,
confidence and state (of the identity), x1, y1, x2, y2 (pixels), score (of the detection), then
ground_x, ground_y (metres) if any row has them. Ordered by camera, frame and track. A track
without an identity has an empty (csv) or null global_id and confidence, and the state unknown.
"""

from io import BytesIO

import polars as pl

from pipeline.run_directory.reader import RunDirectory


def csv(run: RunDirectory) -> bytes:
    """Comma-separated UTF-8 with a header line."""
    return _table(run).write_csv().encode()


def parquet(run: RunDirectory) -> bytes:
    """Parquet, zstd; boxes, score and confidence are float32."""
    buffer = BytesIO()
    _table(run).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def jsonl(run: RunDirectory) -> bytes:
    """One JSON object per line, every line with the same keys."""
    return _table(run).write_ndjson().encode()


def _table(run: RunDirectory) -> pl.DataFrame:
    rows = run.trajectories()
    ground = ["ground_x", "ground_y"]
    unknown = all(rows[name].is_null().all() for name in ground)
    return rows.drop(ground) if unknown else rows
