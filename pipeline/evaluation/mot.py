"""Ground truth in MOTChallenge text.

``frame,id,x,y,w,h[,confidence[,class[,visibility]]]``, or the format of 2015 with ten columns,
``frame,id,x,y,w,h,confidence,X,Y,Z``, where X, Y and Z are world coordinates in metres, or -1.
"""

import logging
from collections import Counter
from collections.abc import Iterator
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
_WORLD_COLUMNS = 10
_MOST = 2**53
# Rows of a part: some 100 MB while they are read.
_PART_ROWS = 200_000

_log = logging.getLogger(__name__)


def mot_boxes(path: Path, camera_id: str) -> Iterator[pl.DataFrame]:
    """The boxes of one file, in parts of bounded size. Frames count from 1 in the file, from 0 in
    the result.

    Rows with confidence 0 (ignored regions) and rows of another class than pedestrian are ignored,
    with a warning in the log. TrackEval also ignores predictions on MOTChallenge's distractors
    (statues, reflections); here they count as false positives. Raises UserError that names the
    invalid line, and for a file whose rows are all ignored.
    """
    rows: list[BoxRow] = []
    used = 0
    ignored: Counter[str] = Counter()
    for number, line in enumerate(_lines(path), start=1):
        try:
            values = [float(cell) for cell in line.split(",")] if line.strip() else []
            reason = _reason_to_ignore(values)
            if reason:
                ignored[reason] += 1
            elif values:
                rows.append(_row(values, camera_id))
        except ValueError:
            raise UserError(f"{path}: line {number}: cannot use {line!r}. {_EXPECTED}") from None
        if len(rows) == _PART_ROWS:
            used += len(rows)
            yield pl.DataFrame(rows, schema=SCHEMA, orient="row")
            rows = []
    used += len(rows)
    counts = ", ".join(f"{count} of {reason}" for reason, count in sorted(ignored.items()))
    if ignored and not used:
        raise UserError(
            f"{path} contains only ignored rows: {counts}. Expected rows of class 1, the pedestrian"
        )
    if ignored:
        _log.warning("%s: %d rows used, ignored: %s", path, used, counts)
    yield pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                yield line.rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the ground truth {path}: {error}. {_EXPECTED}") from error


def _reason_to_ignore(values: list[float]) -> str:
    """Why a row is ignored; empty when it is used."""
    if len(values) > 6 and values[6] == 0:
        return "confidence 0"
    if 7 < len(values) < _WORLD_COLUMNS and values[7] not in _PERSON_CLASSES:
        return f"class {values[7]:g}"
    return ""


def _row(values: list[float], camera_id: str) -> BoxRow:
    frame, person_id, x, y, width, height = values[:6]
    if not all(map(isfinite, values[:6])) or frame < 1 or frame % 1 or person_id % 1:
        raise ValueError
    # Larger numbers would be two ids of one value, or none that a table holds.
    if max(frame, abs(person_id)) > _MOST:
        raise ValueError
    return (camera_id, int(frame) - 1, int(person_id), x, y, x + width, y + height)
