"""Hand-made trajectories: people who walk along straight lines, ten times a second."""

from collections.abc import Sequence

import numpy as np
import polars as pl

Point = tuple[float, float]
FPS = 10.0
NOBODY = {
    "camera_id": pl.String,
    "global_id": pl.Int64,
    "timestamp": pl.Float64,
    **dict.fromkeys(["x1", "y1", "x2", "y2", "ground_x", "ground_y"], pl.Float64),
}


def walk(
    global_id: int,
    way: Sequence[Point],
    start: float = 0.0,
    seconds: float = 4.0,
    camera_id: str = "a",
) -> pl.DataFrame:
    """One person whose foot goes along ``way`` at even speed; boxes are 20 x 60, the ground is the
    same in metres.
    """
    times = start + np.arange(round(seconds * FPS) + 1) / FPS
    points = np.array(way, np.float64)
    done = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    share = np.linspace(0, done[-1], len(times))
    x, y = (np.interp(share, done, points[:, axis]) for axis in (0, 1))
    return pl.DataFrame(
        {
            "camera_id": [camera_id] * len(times),
            "global_id": [global_id] * len(times),
            "timestamp": times,
            "x1": x - 10,
            "y1": y - 60,
            "x2": x + 10,
            "y2": y,
            "ground_x": x,
            "ground_y": y,
        },
        NOBODY,
    )


def together(*walks: pl.DataFrame) -> pl.DataFrame:
    """All rows in order of time."""
    return pl.concat([pl.DataFrame(schema=NOBODY), *walks]).sort("timestamp", "global_id")
