"""Shared by the formats: rows with exact decimals, cameras, and rows with a global id."""

import logging

import polars as pl
import polars.selectors as cs

from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord

_LOG = logging.getLogger(__name__)


def read_rows(run: RunDirectory) -> pl.DataFrame:
    """The trajectories of ``run`` with all floats as float64, and ``width`` and ``height`` (px).

    A float32 becomes the double of its shortest decimal, so 0.8 is written as 0.8 and not as
    0.800000011920929. The order is that of `RunDirectory.trajectories`.
    """
    rows = run.trajectories().with_columns(cs.float().cast(pl.String).cast(pl.Float64))
    return rows.with_columns(
        width=(pl.col("x2") - pl.col("x1")).round(6),
        height=(pl.col("y2") - pl.col("y1")).round(6),
    )


def cameras_of(run: RunDirectory, rows: pl.DataFrame) -> list[CameraRecord]:
    """The cameras by name; ``frames`` covers every frame in ``rows``.

    A killed run may have rows of a camera without a description: such a camera has no source and a
    size of 0 x 0.
    """
    described = {camera.camera_id: camera for camera in run.cameras()}
    last = rows.group_by("camera_id").agg(pl.col("frame_index").max())
    seen: dict[str, int] = {name: index + 1 for name, index in last.iter_rows()}
    return [
        _covering(described.get(name), name, seen.get(name, 0))
        for name in sorted({*described, *seen})
    ]


def _covering(camera: CameraRecord | None, camera_id: str, frames: int) -> CameraRecord:
    return CameraRecord(
        camera_id=camera_id,
        source=camera.source if camera else "",
        width=camera.width if camera else 0,
        height=camera.height if camera else 0,
        fps=camera.fps if camera else 0.0,
        frames=max(camera.frames if camera else 0, frames),
        start=camera.start if camera else 0.0,
        end=camera.end if camera else 0.0,
        timestamp_origin=camera.timestamp_origin if camera else "",
        state=camera.state if camera else "partial",
        detail=camera.detail if camera else "",
    )


def identified(rows: pl.DataFrame, format: str) -> pl.DataFrame:
    """The rows with a global id. Logs a warning with the number of omitted rows."""
    known = rows.filter(pl.col("global_id").is_not_null())
    if known.height < rows.height:
        _LOG.warning(
            "%s: %d of %d rows have no global id and are omitted",
            *(format, rows.height - known.height, rows.height),
        )
    return known


def one_box_per_frame(rows: pl.DataFrame, format: str) -> pl.DataFrame:
    """Identified rows by camera, frame and global id, with one box per person and frame.

    Two tracks of one camera may share a global id for a short time, which readers of formats with
    ids reject. The box with the higher score is kept, and the number of others is logged.
    """
    key = ["camera_id", "frame_index", "global_id"]
    known = identified(rows, format)
    ordered = known.sort(*key, "score", "track_id", descending=[False] * 3 + [True, False])
    best = ordered.unique(key, keep="first", maintain_order=True)
    if best.height < known.height:
        _LOG.warning(
            "%s: %d rows are a second box of a person in the same frame and are omitted",
            *(format, known.height - best.height),
        )
    return best
