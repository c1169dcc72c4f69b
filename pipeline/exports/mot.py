"""MOTChallenge tracker output: ``<camera_id>.txt``, one line per person and frame.

frame, id, left, top, width, height, score, -1, -1, -1. Frames count from 1 and the id is the
global id, so the files of all cameras share their ids. TrackEval reads the folder as a tracker's
``data`` folder with the camera as the sequence; motmetrics reads each file
(``loadtxt(path, fmt="mot15-2D")``). Box coordinates count from 0, as usual for trackers;
motmetrics assumes that they count from 1 and subtracts 1 from left and top.
"""

from collections.abc import Iterator

import polars as pl

from pipeline.exports.rows import texts_by_camera
from pipeline.exports.write import NamedFile
from pipeline.run_directory.reader import RunDirectory


def mot(run: RunDirectory) -> Iterator[NamedFile]:
    """The files. Rows without a global id are omitted, with a warning in the log."""
    columns: list[str | pl.Expr] = [
        pl.col("frame_index") + 1,
        *("global_id", "x1", "y1", "width", "height", "score"),
        *(pl.lit(-1).alias(name) for name in ("x", "y", "z")),
    ]
    return texts_by_camera(run, "mot", columns)
