"""The common table of ground truth and predictions: one row per person and frame."""

from pathlib import Path

import polars as pl

from pipeline.errors import UserError

#: ``frame_index`` counts from 0, boxes are xyxy pixels, and a person has the same ``person_id`` in
#: all cameras.
SCHEMA = pl.Schema(
    {
        "camera_id": pl.String,
        "frame_index": pl.Int64,
        "person_id": pl.Int64,
        "x1": pl.Float64,
        "y1": pl.Float64,
        "x2": pl.Float64,
        "y2": pl.Float64,
    }
)
KEY = ("camera_id", "frame_index", "person_id")
BOX = ("x1", "y1", "x2", "y2")

#: camera_id, frame_index, person_id, x1, y1, x2, y2
BoxRow = tuple[str, int, int, float, float, float, float]


def validated(boxes: pl.DataFrame, origin: Path) -> pl.DataFrame:
    """``boxes`` sorted by their key.

    Raises UserError that names ``origin`` and the first box that is not finite, has no area, or
    repeats an id of its frame.
    """
    finite = pl.all_horizontal(pl.col(BOX).is_finite())
    has_area = (pl.col("x1") < pl.col("x2")) & (pl.col("y1") < pl.col("y2"))
    _refuse(boxes.filter(~(finite & has_area)), origin, "has a box without a finite area")
    check_unique_ids(boxes, str(origin))
    return boxes.sort(KEY)


def check_unique_ids(boxes: pl.DataFrame, origin: str) -> None:
    """Raise UserError when an id occurs twice in one frame of a camera."""
    _refuse(boxes.filter(~pl.struct(KEY).is_first_distinct()), origin, "occurs twice")


def _refuse(wrong: pl.DataFrame, origin: Path | str, fault: str) -> None:
    if wrong.is_empty():
        return
    camera_id, frame_index, person_id = wrong.select(KEY).row(0)
    raise UserError(
        f"{origin}: person {person_id} {fault} in frame {frame_index} (counted from 0) of camera "
        f"{camera_id!r}. Expected one box x1 < x2, y1 < y2 for each person and frame"
    )
