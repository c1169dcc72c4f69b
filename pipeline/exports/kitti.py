"""KITTI tracking results: ``<camera_id>.txt``, one line per person and frame, space-separated.

frame id type truncated occluded alpha x1 y1 x2 y2 height width length x y z rotation score.
Frames count from 0, the id is the global id and the type is Pedestrian. Unknown values are those
that KITTI defines: -1 for truncated, occluded and the sizes, -10 for the angles, -1000 for the
location.
"""

from collections.abc import Iterator

import polars as pl

from pipeline.exports.rows import Omitted, cameras_of, chunks_of
from pipeline.exports.write import NamedFile
from pipeline.run_directory.reader import RunDirectory


def kitti(run: RunDirectory) -> Iterator[NamedFile]:
    """The files. Rows without a global id are omitted, with a warning in the log."""
    omitted = Omitted("kitti")
    for camera in cameras_of(run):
        yield f"{camera.camera_id}.txt", _lines(run, camera.camera_id, omitted)
    omitted.log()


def _lines(run: RunDirectory, camera_id: str, omitted: Omitted) -> Iterator[bytes]:
    for rows in chunks_of(run, camera_id):
        lines = omitted.identified(rows).select(
            *("frame_index", "global_id"),
            pl.lit("Pedestrian").alias("type"),
            *_unknown(truncated=-1, occluded=-1, alpha=-10),
            *("x1", "y1", "x2", "y2"),
            *_unknown(size_h=-1, size_w=-1, size_l=-1),
            *_unknown(x=-1000, y=-1000, z=-1000, rotation=-10),
            "score",
        )
        ordered = lines.sort("frame_index", "global_id")
        yield ordered.write_csv(include_header=False, separator=" ").encode()


def _unknown(**values: int) -> list[pl.Expr]:
    return [pl.lit(value).alias(name) for name, value in values.items()]
