"""All cameras of a run at once as one video, with the trails of the people."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, inf, log
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import CameraConfig
from pipeline.errors import writing
from pipeline.pictures.colours import css_colour
from pipeline.pictures.render import LabelledBoxes, people_of, render_videos
from pipeline.pictures.supervised import as_supervision, library
from pipeline.pictures.video import write_video
from pipeline.run_directory.layout import MOSAIC
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources import open_source
from pipeline.sources.source import Frame

Image = NDArray[np.uint8]
_People = Mapping[tuple[str, int], LabelledBoxes]

_MOST_WIDTH, _MOST_HEIGHT = 1920, 1080
_MOST_FPS = 15.0
_TRAIL_S = 3.0
# The grey level of a camera that has not begun, or has ended.
_DARK = 24


def render_run(run: RunDirectory) -> list[Path]:
    """Write the video of every camera, and of several cameras the mosaic; returns the paths.

    Raises UserError as `render_videos`.
    """
    paths = render_videos(run)
    mosaic = write_mosaic(run)
    return paths if mosaic is None else [*paths, mosaic]


def write_mosaic(run: RunDirectory) -> Path | None:
    """Write RUN/mosaic.mp4 from the videos of `render_videos`; None with fewer than two of them.

    Each camera has a tile, all at the same moment: dark before a camera begins and after its end.
    Time in which no camera recorded is cut.
    A trail in the colour of the global id shows where a person stood in the last seconds. Raises
    UserError when a video cannot be read or the mosaic cannot be written.
    """
    films = _films(run)
    if len(films) < 2:
        return None
    path = run.path / MOSAIC
    with writing(f"the mosaic {path}", "Expected a writable folder with free space"):
        write_video(path, _pictures(films, people_of(run)))
    return path


def _films(run: RunDirectory) -> list[tuple[CameraRecord, Path]]:
    paths = [(c, run.path / "video" / f"{c.camera_id}.mp4") for c in run.cameras() if c.frames]
    return [(camera, path) for camera, path in paths if path.is_file()]


def _pictures(
    films: Sequence[tuple[CameraRecord, Path]], people: _People
) -> Iterator[tuple[float, Image]]:
    fps = min(max(camera.fps for camera, _ in films) or _MOST_FPS, _MOST_FPS)
    columns, width, height = layout([(c.width, c.height) for c, _ in films])
    ids = {i for seen in people.values() for i, _ in seen if i is not None}
    tiles = [_Tile(*film, people, sorted(ids), (width, height), fps) for film in films]
    for number, moment in enumerate(_moments([(c.start, c.end) for c, _ in films], fps)):
        yield number / fps, _joined([tile.at(moment) for tile in tiles], columns)


def _moments(spans: Sequence[tuple[float, float]], fps: float) -> Iterator[float]:
    """Moments ``1 / fps`` seconds apart in which any of ``spans`` is; the time between is cut."""
    reached = -inf
    for start, end in sorted(spans):
        begin = max(start, reached + 1 / fps)
        count = int((end - begin) * fps + 1e-6) + 1 if end >= begin else 0
        for number in range(count):
            reached = begin + number / fps
            yield reached


def layout(sizes: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
    """How many columns, and the width and height of a tile, of cameras with pictures of ``sizes``.

    The mosaic is at most 1920 x 1080, and as close to that shape as possible; a tile has the shape
    of the first picture.
    """
    width, height = next(((w, h) for w, h in sizes if w and h), (16, 9))
    count = len(sizes)

    def shape(columns: int) -> float:
        whole = columns * width / (ceil(count / columns) * height)
        return abs(log(whole / (_MOST_WIDTH / _MOST_HEIGHT)))

    columns = min(range(1, count + 1), key=shape)
    rows = ceil(count / columns)
    scale = min(_MOST_WIDTH / (columns * width), _MOST_HEIGHT / (rows * height))
    return columns, max(2 * int(width * scale / 2), 2), max(2 * int(height * scale / 2), 2)


def _joined(tiles: Sequence[Image], columns: int) -> Image:
    empty = np.zeros_like(tiles[0])
    rows = [list(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    rows[-1] += [empty] * (columns - len(rows[-1]))
    return np.asarray(cv2.vconcat([cv2.hconcat(row) for row in rows]), np.uint8)


class _Tile:
    """One camera of the mosaic, at moments that increase."""

    def __init__(
        self,
        camera: CameraRecord,
        path: Path,
        people: _People,
        ids: Sequence[int],
        size: tuple[int, int],
        fps: float,
    ) -> None:
        self._camera, self._people, self._size = camera, people, size
        self._ids = {person: place for place, person in enumerate(ids)}
        self._trails = _trails(ids, fps)
        self._empty = np.full((size[1], size[0], 3), _DARK, np.uint8)
        frames = _frames_of(camera, path)
        first = next(frames, None)
        self._coming, self._frames = first, frames
        self._shown: Frame | None = None

    def at(self, moment: float) -> Image:
        """The tile at ``moment``, seconds UTC."""
        while self._coming is not None and self._coming.timestamp <= moment + 1e-6:
            self._shown, self._coming = self._coming, next(self._frames, None)
        if self._shown is None or (self._coming is None and moment > self._camera.end + 1.0):
            return self._empty
        return self._drawn(self._shown)

    def _drawn(self, frame: Frame) -> Image:
        tile, scale, left, top = _fitted(frame.image, self._size)
        seen = self._people.get((self._camera.camera_id, frame.index), [])
        known = [(person, box) for person, box in seen if person is not None]
        boxes = np.array([box for _, box in known], np.float32).reshape(-1, 4) * scale
        boxes += np.array([left, top, left, top], np.float32)
        nothing = np.zeros(len(known), np.float32)
        found = as_supervision(
            boxes, nothing, nothing.astype(np.int64), [i for i, _ in known], nothing
        )
        lookup = np.array([self._ids[person] for person, _ in known], int)
        return np.asarray(self._trails.annotate(tile, found, custom_color_lookup=lookup))


def _trails(ids: Sequence[int], fps: float) -> Any:
    """supervision's annotator of trails, which has the colour of each of ``ids`` at its place."""
    drawing = library()
    return drawing.TraceAnnotator(
        color=drawing.ColorPalette.from_hex([css_colour(person) for person in ids] or ["#808080"]),
        position=drawing.Position.BOTTOM_CENTER,
        trace_length=max(round(_TRAIL_S * fps), 2),
        thickness=3,
    )


def _frames_of(camera: CameraRecord, path: Path) -> Iterator[Frame]:
    """The frames of a rendered video, with the times of the camera."""
    frames = open_source(camera.camera_id, CameraConfig(source=str(path))).frames()
    began: float | None = None
    for frame in frames:
        assert isinstance(frame, Frame)
        began = frame.timestamp if began is None else began
        moment = camera.start + frame.timestamp - began
        yield Frame(frame.camera_id, frame.index, moment, frame.picture)


def _fitted(image: Image, size: tuple[int, int]) -> tuple[Image, float, int, int]:
    """``image`` inside a tile of ``size`` with black borders, its scale, and where it begins."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    wide, high = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (size[0] - wide) // 2, (size[1] - high) // 2
    tile = np.zeros((size[1], size[0], 3), np.uint8)
    shrunk = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
    tile[top : top + high, left : left + wide] = shrunk
    return tile, scale, left, top
