"""KITTI tracking results: ``<camera_id>.txt``, one line per person and frame, space-separated.

frame id type truncated occluded alpha x1 y1 x2 y2 height width length x y z rotation score.
Frames count from 0, the id is the global id and the type is Pedestrian. Unknown values are those
that KITTI defines: -1 for truncated, occluded and the sizes, -10 for the angles, -1000 for the
location.
"""

from collections.abc import Iterator

import polars as pl

from pipeline.exports.rows import texts_by_camera
from pipeline.exports.write import NamedFile
from pipeline.run_directory.reader import RunDirectory


def kitti(run: RunDirectory) -> Iterator[NamedFile]:
    """The files. Rows without a global id are omitted, with a warning in the log."""
    columns: list[str | pl.Expr] = [
        *("frame_index", "global_id"),
        pl.lit("Pedestrian").alias("type"),
        *_unknown(truncated=-1, occluded=-1, alpha=-10),
        *("x1", "y1", "x2", "y2"),
        *_unknown(size_h=-1, size_w=-1, size_l=-1),
        *_unknown(x=-1000, y=-1000, z=-1000, rotation=-10),
        "score",
    ]
    return texts_by_camera(run, "kitti", columns, separator=" ")


def _unknown(**values: int) -> list[pl.Expr]:
    return [pl.lit(value).alias(name) for name, value in values.items()]
