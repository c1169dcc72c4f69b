"""Shared by the formats: rows with exact decimals, cameras, and rows with a global id."""

import logging
from collections.abc import Iterator, Sequence

import polars as pl
import polars.selectors as cs
from msgspec.structs import replace

from pipeline.exports.write import NamedFile
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord

_LOG = logging.getLogger(__name__)


def chunks_of(run: RunDirectory, camera_id: str, *frames: int) -> Iterator[pl.DataFrame]:
    """`RunDirectory.chunks` with all floats as float64, and ``width`` and ``height`` of boxes (px);
    of the ``frames``, first and last, if given.

    A float32 becomes the double of its shortest decimal, so 0.8 is written as 0.8 and not as
    0.800000011920929. Empty for a camera without observations.
    """
    if camera_id in run.observed():
        yield from map(_exact, run.chunks(camera_id, *frames))


def _exact(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(cs.float().cast(pl.String).cast(pl.Float64)).with_columns(
        width=(pl.col("x2") - pl.col("x1")).round(6),
        height=(pl.col("y2") - pl.col("y1")).round(6),
    )


def cameras_of(run: RunDirectory) -> list[CameraRecord]:
    """The cameras by name; ``frames`` covers every frame with an observation.

    A killed run may have rows of a camera without a description: such a camera has no source and a
    size of 0 x 0.
    """
    described = {camera.camera_id: camera for camera in run.cameras()}
    return [
        _covering(described.get(name), name, run.last_frame(name))
        for name in sorted({*described, *run.observed()})
    ]


def _covering(camera: CameraRecord | None, camera_id: str, last: int) -> CameraRecord:
    known = camera or CameraRecord(
        camera_id=camera_id,
        source="",
        width=0,
        height=0,
        fps=0.0,
        frames=0,
        start=0.0,
        end=0.0,
        timestamp_origin="",
        state="partial",
    )
    return replace(known, frames=max(known.frames, last + 1))


def texts_by_camera(
    run: RunDirectory, format: str, columns: Sequence[str | pl.Expr], separator: str = ","
) -> Iterator[NamedFile]:
    """``<camera_id>.txt`` of each camera: a line of ``columns`` for each person and frame.

    Rows without a global id are omitted, with a warning in the log.
    """
    omitted = Omitted(format)

    def lines(camera_id: str) -> Iterator[bytes]:
        for rows in chunks_of(run, camera_id):
            ordered = omitted.identified(rows).select(columns).sort("frame_index", "global_id")
            yield ordered.write_csv(include_header=False, separator=separator).encode()

    for camera in cameras_of(run):
        yield f"{camera.camera_id}.txt", lines(camera.camera_id)
    omitted.log()


def batches(keys: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """``keys``, each with its number of ``rows``, in parts of about ``most`` rows, in order."""
    if keys.height:
        part = (pl.col("rows").cum_sum() - 1) // most
        for _, batch in keys.group_by(part.alias("part"), maintain_order=True):
            yield batch


class Omitted:
    """Counts the rows that a format leaves out, and logs them at the end."""

    def __init__(self, format: str) -> None:
        self._format = format
        self._rows = self._unknown = 0

    def identified(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with a global id, which is there once a frame; see `RunDirectory`."""
        known = rows.filter(pl.col("global_id").is_not_null())
        self._rows += rows.height
        self._unknown += rows.height - known.height
        return known

    def log(self) -> None:
        """Log a warning with the number of omitted rows."""
        if self._unknown:
            _LOG.warning(
                "%s: %d of %d rows have no global id and are omitted",
                *(self._format, self._unknown, self._rows),
            )
