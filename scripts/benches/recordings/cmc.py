"""The CMC recordings (Curtin): four cameras in a room, with detections, features and truth."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.evaluation.boxes import BOX
from recordings.multi_camera import Recording, boxes_of_points

FPS = 4.0
_CAMERAS = (1, 2, 3, 4)
_SIZE = (1920, 1024)


def read_cmc(folder: Path, name: str) -> Recording:
    """The recording ``name``, such as CMC1, from the folder that contains all of them.

    The ground truth is the centre of each body in metres, projected into every image. It covers
    only the room: unmatched detections outside of all annotated positions, such as at the door,
    are not judged. Raises UserError when a file is missing.
    """
    projections = {
        f"Cam_{n}": _projection(folder / "calib" / f"cam{n}_cam_mat.mat") for n in _CAMERAS
    }
    detections = pl.concat(
        [_detections(folder / "detections" / name / f"Cam_{n}.npz", f"Cam_{n}") for n in _CAMERAS]
    )
    bodies = _bodies(folder / "ground_truth" / f"GT_{name}_WORLD_CENTROID.txt")
    points = pl.concat([_seen(bodies, camera, matrix) for camera, matrix in projections.items()])
    truth = boxes_of_points(detections, points.drop("head", "foot"))
    unmatched = detections.with_columns(pl.col(BOX).cast(pl.Float64)).join(
        truth, on=["camera_id", "frame_index", *BOX], how="anti"
    )
    outside = [
        _outside(rows, projections[str(camera)], bodies)
        for (camera,), rows in unmatched.group_by("camera_id", maintain_order=True)
    ]
    in_size = boxes_of_points(detections, points)
    return Recording(detections, projections, truth, pl.concat(outside), in_size)


def _projection(path: Path) -> NDArray[np.float64]:
    import h5py

    with h5py.File(_existing(path)) as file:
        (matrix,) = file.values()
        return np.array(matrix, np.float64).T


def _detections(path: Path, camera_id: str) -> pl.DataFrame:
    with np.load(_existing(path)) as frames:
        parts = [(int(key), frames[key]) for key in frames]
    index = np.concatenate([np.full(len(rows), frame) for frame, rows in parts])
    rows = np.concatenate([rows for _, rows in parts])
    return pl.DataFrame(
        {
            "camera_id": [camera_id] * len(rows),
            "frame_index": index,
            "timestamp": index / FPS,
            **{name: rows[:, column] for column, name in enumerate(BOX)},
            "score": rows[:, 4].clip(0, 1),
            "embedding": rows[:, 5:],
        }
    )


def _bodies(path: Path) -> NDArray[np.float64]:
    """Rows of frame (from 0), person, and x, y, z in metres."""
    rows = np.loadtxt(_existing(path))
    return np.asarray(np.column_stack([rows[:, 0] - 1, rows[:, 1], rows[:, 7:10]]))


def _seen(
    bodies: NDArray[np.float64], camera_id: str, projection: NDArray[np.float64]
) -> pl.DataFrame:
    # The centre is half as high as the head.
    foot, (u, v), head = (_pixels(bodies[:, 2:] * [1, 1, up], projection) for up in (0, 1, 2))
    frame = pl.DataFrame(
        {"frame_index": bodies[:, 0].astype(int), "person_id": bodies[:, 1].astype(int)}
    ).with_columns(
        camera_id=pl.lit(camera_id),
        u=pl.Series(u),
        v=pl.Series(v),
        head=pl.Series(head[1]),
        foot=pl.Series(foot[1]),
    )
    inside = pl.col("u").is_between(0, _SIZE[0]) & pl.col("v").is_between(0, _SIZE[1])
    return frame.filter(inside)


def _pixels(places: NDArray[np.float64], projection: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(2, N)`` pixels of ``(N, 3)`` metres."""
    points = np.column_stack([places, np.ones(len(places))]) @ projection.T
    return np.asarray((points[:, :2] / points[:, 2:]).T)


def _outside(
    rows: pl.DataFrame, projection: NDArray[np.float64], bodies: NDArray[np.float64]
) -> pl.DataFrame:
    """Those of ``rows`` that are outside the area with annotated people."""
    from trackers.ground.view import ground_points, ground_to_image

    feet = rows.select((pl.col("x1") + pl.col("x2")) / 2, "y2").to_numpy()
    ground = ground_points(feet, ground_to_image(projection))
    low, high = bodies[:, 2:4].min(axis=0), bodies[:, 2:4].max(axis=0)
    within = ((ground >= low) & (ground <= high)).all(axis=1)
    return rows.filter(pl.Series(~within)).select("camera_id", "frame_index", *BOX)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(
            f"no file {path}: expected the CMC recordings with detections, calib, ground_truth"
        )
    return path
