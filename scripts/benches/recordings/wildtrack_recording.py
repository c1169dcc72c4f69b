"""WILDTRACK as a recording whose detections are the annotated boxes without ids."""

import re
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.evaluation.wildtrack import VIEWS, wildtrack_boxes
from recordings.multi_camera import Recording

FPS = 2.0
_FILES = ("CVLab1", "CVLab2", "CVLab3", "CVLab4", "IDIAP1", "IDIAP2", "IDIAP3")
_CM = 100.0


def read_wildtrack(folder: Path) -> Recording:
    """All seven views of ``folder``. Raises UserError when a file is missing."""
    views = {name: number for number, name in enumerate(VIEWS)}
    truth = wildtrack_boxes(folder / "annotations_positions", views)
    detections = truth.drop("person_id").with_columns(
        timestamp=pl.col("frame_index") / FPS, score=pl.lit(1.0)
    )
    calibrations = folder / "calibrations"
    projections = {
        view: _projection(calibrations, name) for view, name in zip(VIEWS, _FILES, strict=True)
    }
    return Recording(detections, projections, truth)


def _projection(folder: Path, name: str) -> NDArray[np.float64]:
    extrinsic = _text(folder / "extrinsic" / f"extr_{name}.xml")
    intrinsic = _text(folder / "intrinsic_zero" / f"intr_{name}.xml")
    rotation = cv2.Rodrigues(_numbers(extrinsic, "rvec"))[0]
    lens = _numbers(intrinsic, "data").reshape(3, 3)
    outer = np.column_stack([rotation * _CM, _numbers(extrinsic, "tvec")])
    return np.asarray(lens @ outer, np.float64)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise UserError(f"cannot read the calibration of WILDTRACK: {error}") from error


def _numbers(xml: str, tag: str) -> NDArray[np.float64]:
    """The numbers in the first element ``tag``; OpenCV's xml is not always well-formed."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", xml, re.DOTALL)
    if found is None:
        raise UserError(f"the calibration of WILDTRACK has no <{tag}>")
    return np.array(found.group(1).split(), np.float64)
