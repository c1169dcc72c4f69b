"""Draw the ground grid on a camera's picture, to check a calibration visually."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.calibration.fit import PointPairs, to_picture
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError, writing
from pipeline.sources import open_source
from pipeline.sources.live import LiveSource
from pipeline.sources.source import Frame
from reid_model.atomic_file import replacing
from trackers.ground.view import ground_points

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

#: BGR.
GRID, GIVEN, PROJECTED = (0, 220, 220), (0, 0, 255), (255, 120, 0)
#: Metres: extent of the grid from its middle, and length of the segments of its lines.
EXTENT, STEP = 25, 0.25
_FORMATS = (".png", ".jpg", ".jpeg", ".webp")
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LABELS = 12


def first_picture(camera_id: str, config: CameraConfig) -> Image:
    """The first frame of the camera's source, ``(H, W, 3)`` uint8 BGR.

    Raises UserError as `open_source`, and for a live camera that does not answer.
    """
    source = open_source(camera_id, config)
    if isinstance(source, LiveSource) and (fault := source.probe()) is not None:
        raise UserError(str(fault))
    frame = next(iter(source.frames()), None)
    if not isinstance(frame, Frame):
        raise UserError(
            f"camera {camera_id}: its source has no images. Expected a video or pictures"
        )
    return frame.image


def draw_ground(image: Image, homography: Matrix, pairs: PointPairs | None) -> Image:
    """``image`` ``(H, W, 3)`` uint8 BGR with a labelled line per metre of ground, and the pairs.

    ``homography`` is ``(3, 3)`` from ground metres to pixels. A circle marks the given pixel of a
    pair, a cross its projected ground point. Raises UserError when no ground is visible.
    """
    drawn = image.copy()
    height, width = image.shape[:2]
    for text, pixels in grid_lines((width, height), homography, pairs):
        _draw_line(drawn, pixels, text)
    if pairs is not None:
        _draw_pairs(drawn, pairs, homography)
    return drawn


def grid_lines(
    size: tuple[int, int], homography: Matrix, pairs: PointPairs | None
) -> Iterator[tuple[str, Matrix]]:
    """A line per metre of ground in a picture of this width and height: its label, empty for most,
    and pixels ``(N, 2)``, NaN behind the camera.

    Raises UserError when no ground is visible.
    """
    low, high = _extent(size, homography, pairs)
    for axis in (0, 1):
        lines = np.arange(low[axis], high[axis] + 1)
        along = np.arange(low[1 - axis], high[1 - axis] + STEP / 2, STEP)
        labelled = -(-len(lines) // _LABELS)
        for metre in lines:
            ground = np.empty((len(along), 2))
            ground[:, axis], ground[:, 1 - axis] = metre, along
            text = f"{'xy'[axis]}={metre}" if metre % labelled == 0 else ""
            yield text, to_picture(ground, homography)


def check_suffix(out: Path) -> None:
    """Raise UserError when ``out`` does not have the suffix of a picture."""
    if out.suffix.lower() not in _FORMATS:
        raise UserError(f"{out} must end with one of {', '.join(_FORMATS)}")


def write_picture(out: Path, image: Image) -> None:
    """Write ``out`` atomically. Raises UserError when it cannot be written."""
    with writing(out), replacing(out) as partial:
        partial.write_bytes(cv2.imencode(out.suffix, image)[1].tobytes())


def _extent(
    size: tuple[int, int], homography: Matrix, pairs: PointPairs | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Minimum and maximum whole metres of the visible ground, limited to `EXTENT`."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, width, 33), np.linspace(0, height, 33))
    seen = ground_points(np.column_stack([across.ravel(), down.ravel()]), homography)
    seen = seen[~np.isnan(seen).any(axis=1)]
    if not len(seen):
        raise UserError("no ground is visible with this calibration: check its points")
    # The last pixel is the lowest one in the picture, hence near the camera.
    middle = seen[-1] if pairs is None else pairs.ground.mean(axis=0)
    near = np.clip(seen, middle - EXTENT, middle + EXTENT)
    return np.floor(near.min(axis=0)).astype(int), np.ceil(near.max(axis=0)).astype(int)


def _draw_line(drawn: Image, pixels: Matrix, text: str) -> None:
    height, width = drawn.shape[:2]
    # Near the horizon the coordinates of a line are too large for OpenCV.
    near = (np.abs(pixels) < 10 * max(height, width)).all(axis=1)
    for start, end, both in zip(pixels[:-1], pixels[1:], near[:-1] & near[1:], strict=True):
        if both:
            cv2.line(drawn, _whole(start), _whole(end), GRID, 1)
    inside = near & (pixels >= 0).all(axis=1) & (pixels < (width, height)).all(axis=1)
    if text and inside.any():
        _write(drawn, text, pixels[np.argmax(inside)])


def _draw_pairs(drawn: Image, pairs: PointPairs, homography: Matrix) -> None:
    projected = to_picture(pairs.ground, homography)
    for number, (given, found) in enumerate(zip(pairs.picture, projected, strict=True), start=1):
        cv2.circle(drawn, _whole(given), 7, GIVEN, 2, cv2.LINE_AA)
        cv2.drawMarker(drawn, _whole(found), PROJECTED, cv2.MARKER_TILTED_CROSS, 12, 2)
        _write(drawn, str(number), given + 9)


def _write(drawn: Image, text: str, place: NDArray[np.float64]) -> None:
    """Text beside ``place``, readable on any background, moved into the image."""
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.4, 1)
    x = min(int(place[0]) + 2, drawn.shape[1] - width)
    y = min(max(int(place[1]) - 2, height), drawn.shape[0] - 2)
    cv2.putText(drawn, text, (x, y), _FONT, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(drawn, text, (x, y), _FONT, 0.4, (255, 255, 255), 1, cv2.LINE_AA)


def _whole(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
