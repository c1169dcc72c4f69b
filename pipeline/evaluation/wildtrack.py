"""Ground truth in WILDTRACK's json: a folder with one file per frame, boxes in seven views."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl

from pipeline.errors import UserError
from pipeline.evaluation.boxes import SCHEMA, BoxRow

#: The dataset's names of views 0 to 6.
VIEWS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")


class _View(msgspec.Struct):
    viewNum: int
    xmin: float
    ymin: float
    xmax: float
    ymax: float

    def box(self) -> tuple[float, float, float, float] | None:
        """xyxy in pixels; None when the person is not visible in this view.

        Only four times -1 means not visible: a box may start one pixel outside the image.
        """
        corners = (self.xmin, self.ymin, self.xmax, self.ymax)
        return None if corners == (-1, -1, -1, -1) else corners


class _Person(msgspec.Struct):
    personID: int
    views: list[_View]


def wildtrack_views(camera_ids: list[str]) -> dict[str, int]:
    """The view of each camera: by name if any camera is named C1 to C7, else by order.

    By order, the first camera of the run is view C1, and cameras after the seventh have none.
    """
    if set(camera_ids) & set(VIEWS):
        return {name: VIEWS.index(name) for name in camera_ids if name in VIEWS}
    return dict(zip(camera_ids, range(len(VIEWS)), strict=False))


def wildtrack_boxes(folder: Path, views: dict[str, int]) -> pl.DataFrame:
    """The boxes of all ``views`` (camera to view number).

    Frames are numbered by the order of the files, so the run must use the dataset's 2 frames per
    second.
    """
    cameras = {view: camera_id for camera_id, view in views.items()}
    files = sorted(folder.glob("*.json"), key=_frame_number)
    rows = [row for index, path in enumerate(files) for row in _rows(path, index, cameras)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _frame_number(path: Path) -> int:
    if not path.stem.isdecimal():
        raise UserError(f"{path}: expected files named by frame number, such as 00000005.json")
    return int(path.stem)


def _rows(path: Path, frame_index: int, cameras: dict[int, str]) -> Iterator[BoxRow]:
    for person in _people(path):
        for view in person.views:
            box = view.box()
            if box is not None and view.viewNum in cameras:
                yield (cameras[view.viewNum], frame_index, person.personID, *box)


def _people(path: Path) -> list[_Person]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Person])
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"cannot read the ground truth {path}: {error}. "
            "Expected WILDTRACK json: personID, views[] of viewNum, xmin, ymin, xmax, ymax"
        ) from error
