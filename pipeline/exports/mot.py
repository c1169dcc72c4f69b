"""MOTChallenge tracker output: ``<camera_id>.txt``, one line per person and frame.

frame, id, left, top, width, height, score, -1, -1, -1. Frames count from 1 and the id is the
global id, so the files of all cameras share their ids. TrackEval reads the folder as a tracker's
``data`` folder with the camera as the sequence; motmetrics reads each file
(``loadtxt(path, fmt="mot15-2D")``). Box coordinates count from 0, as usual for trackers;
motmetrics assumes that they count from 1 and subtracts 1 from left and top.
"""

import polars as pl

from pipeline.exports.rows import cameras_of, one_box_per_frame, read_rows
from pipeline.run_directory.reader import RunDirectory


def mot(run: RunDirectory) -> dict[str, bytes]:
    """File name -> text. Rows without a global id are omitted, with a warning in the log."""
    rows = read_rows(run)
    lines = one_box_per_frame(rows, "mot").select(
        "camera_id",
        pl.col("frame_index") + 1,
        *("global_id", "x1", "y1", "width", "height", "score"),
        *(pl.lit(-1).alias(name) for name in ("x", "y", "z")),
    )
    return {
        f"{camera.camera_id}.txt": lines.filter(camera_id=camera.camera_id)
        .drop("camera_id")
        .write_csv(include_header=False)
        .encode()
        for camera in cameras_of(run, rows)
    }
