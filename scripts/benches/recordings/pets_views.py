"""PETS 2009 S2.L1 in seven views: given detections and calibration, ground truth of view 001."""

import gzip
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from pipeline.errors import UserError
from pipeline.evaluation.boxes import BOX
from pipeline.evaluation.pets import pets_boxes
from recordings.multi_camera import Recording

FPS = 7.0
_TRUTH_VIEW = "View_001"
_MM = 1000.0


class _Frames(msgspec.Struct):
    idxs: list[int]
    bboxes: list[list[tuple[float, float, float, float]]]
    scores: list[list[float]]


class _Camera(msgspec.Struct):
    K: list[list[float]]
    R: list[list[float]]
    t: list[float]


def read_pets_views(folder: Path) -> Recording:
    """All views in ``folder``, without lens distortion. Raises UserError for a missing file."""
    try:
        calibration = (folder / "calibration_mot3d.json").read_bytes()
        detections = [
            _detections(path) for path in sorted((folder / "detections_kprcnn").glob("*.json.gz"))
        ]
        truth = pl.concat(pets_boxes(folder / "PETS2009-S2L1.xml", _TRUTH_VIEW))
    except OSError as error:
        raise UserError(f"cannot read the PETS 2009 recording: {error}") from error
    cameras = msgspec.json.decode(calibration, type=dict[str, _Camera])
    projections = {
        name: np.array(c.K) @ np.column_stack([np.array(c.R) * _MM, c.t])
        for name, c in cameras.items()
    }
    return Recording(pl.concat(detections), projections, truth)


def _detections(path: Path) -> pl.DataFrame:
    frames = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=_Frames)
    counts = [len(boxes) for boxes in frames.bboxes]
    index = np.repeat(frames.idxs, counts)
    boxes = np.array([box for boxes in frames.bboxes for box in boxes])
    return pl.DataFrame(
        {
            "camera_id": [path.name.removesuffix(".json.gz")] * len(boxes),
            "frame_index": index,
            "timestamp": index / FPS,
            **{name: boxes[:, column] for column, name in enumerate(BOX)},
            "score": [score for scores in frames.scores for score in scores],
        }
    )
