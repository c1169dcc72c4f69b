"""Crossings of lines, by direction.

A person crosses when the path from one side of a line to the other goes through the line. A person
nearer to it than a margin is on no side yet, so that a jittering box makes no crossing.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.analytics.places import standing
from pipeline.config.schema import LineConfig

#: Columns of crossings: ``timestamp`` is seconds UTC, on the new side of the line.
CROSSING = pl.Schema(
    {
        "line": pl.String,
        "direction": pl.String,
        "global_id": pl.Int64,
        "camera_id": pl.String,
        "timestamp": pl.Float64,
    }
)
_SIDES = pl.Schema(
    {
        "camera_id": pl.String,
        "global_id": pl.Int64,
        "timestamp": pl.Float64,
        "x": pl.Float64,
        "y": pl.Float64,
        "side": pl.Int8,
        "first": pl.Boolean,
    }
)
# The margin on each side: a share of the height of the box, or metres on the ground.
_MARGIN, _GROUND_MARGIN_M = 0.05, 0.25
_WHO = ["camera_id", "global_id"]


def sides_of(line: LineConfig, rows: pl.DataFrame, gap_s: float) -> pl.DataFrame:
    """On which side of ``line`` people are: what is needed to find who crosses it.

    ``rows`` are trajectories of people in a camera. A person who was not seen for over ``gap_s``
    begins again. Of the rows between two changes of the side the first and last are kept.
    """
    x, y = standing(line, rows)
    (ax, ay), (bx, by) = line.points
    distance = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / np.hypot(bx - ax, by - ay)
    if line.camera is None:
        margin = np.full(len(x), _GROUND_MARGIN_M)
        distance = -distance  # right is where y grows in a picture, and falls on the ground
    else:
        margin = _MARGIN * rows.select(pl.col("y2") - pl.col("y1")).to_series().to_numpy()
    side = np.where(np.abs(distance) >= margin, np.sign(distance), 0)
    found = rows.select(*_WHO, "timestamp").with_columns(
        x=pl.Series(x), y=pl.Series(y), side=pl.Series(side.astype(np.int8))
    )
    ordered = found.filter(pl.col("x").is_not_nan()).sort(*_WHO, "timestamp")
    return _ends(ordered.with_columns(part=_gone(gap_s).cum_sum().over(_WHO)))


def _gone(gap_s: float) -> pl.Expr:
    """Whether a person was out of sight for over ``gap_s`` before this row."""
    return (pl.col("timestamp").diff().over(_WHO) > gap_s).fill_null(False)


def _ends(rows: pl.DataFrame) -> pl.DataFrame:
    """The first and last row of each ``part``, and of each stretch on one side."""
    part = [*_WHO, "part"]
    place, count = pl.int_range(pl.len()).over(part), pl.len().over(part)
    changed = pl.col("side") != pl.col("side").shift(1).over(part)
    changes = pl.col("side") != pl.col("side").shift(-1).over(part)
    begins = (pl.col("part") > 0) & (place == 0)
    kept = (place == 0) | (place == count - 1) | changed | changes
    return rows.with_columns(first=begins).filter(kept).select(list(_SIDES))


def _parted(sides: Sequence[pl.DataFrame], gap_s: float) -> pl.DataFrame:
    """All rows of ``sides``, with the ``part`` of each: a person begins again after a gap."""
    numbered = [one.with_columns(number=pl.lit(n, pl.Int64)) for n, one in enumerate(sides)]
    none = _SIDES.to_frame().with_columns(number=pl.lit(0, pl.Int64))
    rows = pl.concat([none, *numbered]).sort(*_WHO, "timestamp", maintain_order=True)
    # Within one of the parts the rows of a stretch are left out, so only `first` shows a gap.
    gone = _gone(gap_s) & (pl.col("number").diff().over(_WHO).fill_null(0) != 0)
    return rows.with_columns(part=(gone | pl.col("first")).cum_sum().over(_WHO))


def last_sides(sides: Sequence[pl.DataFrame], gap_s: float) -> pl.DataFrame:
    """What is needed of ``sides`` to find the crossings of later rows: where each person was last,
    and was last on a side. Who was not seen for over ``gap_s`` before the last row is left out.
    """
    rows = _parted(sides, gap_s)
    latest = rows.filter(pl.col("part") == pl.col("part").max().over(_WHO)).filter(
        pl.col("timestamp").max().over(_WHO) >= pl.col("timestamp").max() - gap_s
    )
    decided = pl.when(pl.col("side") != 0).then("timestamp").max().over(_WHO)
    last = pl.col("timestamp").max().over(_WHO)
    kept = latest.filter((pl.col("timestamp") == last) | (pl.col("timestamp") == decided))
    return kept.with_columns(first=pl.lit(False)).select(list(_SIDES))


def crossings_of(
    name: str, line: LineConfig, sides: Sequence[pl.DataFrame], gap_s: float
) -> pl.DataFrame:
    """Who crossed ``line`` when, of the parts that `sides_of` gave; ordered by time.

    Several cameras may see one crossing of a line on the ground: within ``gap_s`` it counts once.
    """
    parted = _parted(sides, gap_s)
    decided = parted.filter(pl.col("side") != 0)
    part = [*_WHO, "part"]
    moved = decided.with_columns(
        before=pl.col("side").shift(1).over(part),
        px=pl.col("x").shift(1).over(part),
        py=pl.col("y").shift(1).over(part),
    ).filter(pl.col("before") != pl.col("side"))
    through = moved.filter(pl.Series(_goes_through(line, moved), dtype=pl.Boolean))
    direction = (
        pl.when(pl.col("side") > 0).then(pl.lit(line.to_right)).otherwise(pl.lit(line.to_left))
    )
    crossed = through.select(
        line=pl.lit(name),
        direction=direction,
        global_id="global_id",
        camera_id="camera_id",
        timestamp="timestamp",
    ).sort("timestamp", *_WHO)
    if line.camera is None:
        again = pl.col("timestamp").diff().over("global_id", "direction") <= gap_s
        crossed = crossed.filter(~again.fill_null(False))
    return crossed.cast(CROSSING)


def _goes_through(line: LineConfig, moved: pl.DataFrame) -> np.ndarray:
    """Whether the way from ``px``, ``py`` to ``x``, ``y``, which lie on two sides, meets the line
    between its ends: ``(N,)`` bool."""
    start, end = np.array(line.points[0]), np.array(line.points[1])
    before = moved.select("px", "py").to_numpy().reshape(-1, 2)
    after = moved.select("x", "y").to_numpy().reshape(-1, 2)
    way = after - before
    one = _cross(way, start - before)
    other = _cross(way, end - before)
    return np.asarray(one * other <= 0)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def line_counts(crossings: pl.DataFrame, places: Sequence[tuple[str, LineConfig]]) -> pl.DataFrame:
    """How often and by how many people each line was crossed, by direction; 0 for nobody."""
    expected = pl.DataFrame(
        [(name, way) for name, line in places for way in (line.to_right, line.to_left)],
        {"line": pl.String, "direction": pl.String},
        orient="row",
    )
    counted = crossings.group_by("line", "direction").agg(
        times=pl.len().cast(pl.Int64), people=pl.col("global_id").n_unique().cast(pl.Int64)
    )
    return expected.join(counted, on=["line", "direction"], how="left").with_columns(
        pl.col("times", "people").fill_null(0)
    )
