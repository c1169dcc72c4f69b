"""Ground truth in MOTChallenge text: ``frame,id,x,y,w,h[,confidence,class,visibility]``."""

from math import isfinite
from pathlib import Path

import polars as pl

from pipeline.errors import UserError
from pipeline.evaluation.boxes import SCHEMA, BoxRow

_EXPECTED = (
    "Expected frame,id,x,y,w,h[,confidence,class,visibility]: numbers, frames from 1, whole ids"
)
#: Class 1 is pedestrian; -1 means not given.
_PERSON_CLASSES = (1, -1)


def mot_boxes(path: Path, camera_id: str) -> pl.DataFrame:
    """The boxes of one file. Frames count from 1 in the file, from 0 in the result.

    Rows with confidence 0 (ignored regions) and rows of another class than pedestrian are dropped.
    TrackEval also ignores predictions on MOTChallenge's distractors (statues, reflections); here
    they count as false positives. Raises UserError that names the invalid line.
    """
    rows = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        try:
            values = [float(cell) for cell in line.split(",")] if line.strip() else []
            if values and _is_person(values):
                rows.append(_row(values, camera_id))
        except ValueError:
            raise UserError(f"{path}: line {number}: cannot use {line!r}. {_EXPECTED}") from None
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the ground truth {path}: {error}. {_EXPECTED}") from error


def _is_person(values: list[float]) -> bool:
    confidence, kind = [*values[6:8], *(1.0, 1.0)[max(0, len(values) - 6) :]]
    return confidence != 0 and kind in _PERSON_CLASSES


def _row(values: list[float], camera_id: str) -> BoxRow:
    frame, person_id, x, y, width, height = values[:6]
    if not all(map(isfinite, values[:6])) or frame < 1 or frame % 1 or person_id % 1:
        raise ValueError
    return (camera_id, int(frame) - 1, int(person_id), x, y, x + width, y + height)
