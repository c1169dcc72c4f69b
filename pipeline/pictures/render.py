"""Render the videos of a run with a box and a global id for every person."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.config.load import check_config
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError, writing
from pipeline.pictures.blur import blurred, boxes_to_blur
from pipeline.pictures.clock import Clock
from pipeline.pictures.colours import colour_of
from pipeline.pictures.video import write_video
from pipeline.run_directory.layout import contained_folder
from pipeline.run_directory.reader import RunDirectory
from pipeline.sources import open_source
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from pipeline.sources.source_kinds import kind_of

Image = NDArray[np.uint8]
#: The people in one frame: global id (None without an identity) and box in xyxy pixels.
LabelledBoxes = list[tuple[int | None, tuple[float, float, float, float]]]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_GUTTER_PX = 8


def render_videos(run: RunDirectory) -> list[Path]:
    """Write RUN/video/<camera_id>.mp4 for every camera and return the paths, by camera.

    The timestamps of the source are kept, also with a variable frame rate. Every person has a box
    and a label in the colour of the global id, or grey without one; camera and time are shown in a
    corner. Raises UserError when a source cannot be read again (a live stream, recorded
    detections), before anything is written, and when the videos cannot be written.
    """
    cameras = _readable_cameras(run)
    clock, people, blur = _clock(run), people_of(run), _blurring(run)
    folder = contained_folder(run.path, "video")
    paths = []
    with writing(f"the videos in {folder}", "Expected a writable folder with free space"):
        folder.mkdir(exist_ok=True)
        for camera_id, config in sorted(cameras.items()):
            path = folder / f"{camera_id}.mp4"
            frames = _frames(camera_id, config)
            if write_video(path, ((f.timestamp, _drawn(blur(f), people, clock)) for f in frames)):
                paths.append(path)
    return paths


def draw_people(image: Image, people: LabelledBoxes) -> None:
    """Draw the boxes and labels of all people onto ``image``, in place."""
    thickness = _thickness(image)
    for global_id, (x1, y1, x2, y2) in people:
        corners = (round(x1), round(y1)), (round(x2), round(y2))
        cv2.rectangle(image, *corners, colour_of(global_id), thickness)
    # Labels after all boxes, so that no box crosses a label; that of the nearest person on top.
    for global_id, (x1, y1, _, _) in sorted(people, key=lambda person: person[1][3]):
        text = "no id" if global_id is None else f"id {global_id}"
        _write(image, text, (x1 - thickness // 2, y1), colour_of(global_id))


def cover_people(image: Image, boxes: ArrayLike, labelled: Iterable[ArrayLike]) -> Image:
    """``image``, an already rendered frame, with the bodies in ``boxes`` ``(N, 4)`` blurred.

    The box lines and labels of the people in ``labelled`` are painted over.
    """
    covered = blurred(image, boxes, "bodies").copy()
    thickness = _thickness(covered)
    for box in labelled:
        x1, y1, x2, y2 = map(float, np.asarray(box))
        corners = (round(x1), round(y1)), (round(x2), round(y2))
        cv2.rectangle(covered, *corners, _BLACK, thickness)
        # Wider than any global id, and at the same corner.
        _write(covered, "forgotten", (x1 - thickness // 2, y1), _BLACK)
    return covered


def _blurring(run: RunDirectory) -> Callable[[Frame], Frame]:
    """A function that blurs the people in a frame as configured by the site."""
    how = check_config(run.config(), str(run.path / "config.yaml")).privacy.blur
    if how == "none":
        return lambda frame: frame
    fps = {camera.camera_id: camera.fps for camera in run.cameras()}
    boxes, no_boxes = boxes_to_blur(run.observations(), fps), np.zeros((0, 4))

    def blur(frame: Frame) -> Frame:
        here = boxes.get((frame.camera_id, frame.index), no_boxes)
        return replace(frame, picture=BgrPicture(blurred(frame.image, here, how)))

    return blur


def _readable_cameras(run: RunDirectory) -> dict[str, CameraConfig]:
    path = run.path / "config.yaml"
    cameras = check_config(run.config(), str(path)).cameras
    if not cameras:
        raise UserError(
            f"{path} has no camera. Expected cameras.<name>.source, a video file or a folder of "
            "images"
        )
    check_readable(cameras)
    return cameras


def check_readable(cameras: Mapping[str, CameraConfig]) -> None:
    """Raise UserError unless every source can be read again and has pictures to draw on."""
    faults = {
        "url": "is a live stream and cannot be read again",
        "webcam": "is a live camera and cannot be read again",
        "recorded": "contains recorded detections, no images",
    }
    for camera_id, config in cameras.items():
        fault = faults.get(kind_of(config.source)) if config.source else "is not given"
        if fault:
            raise UserError(
                f"camera {camera_id}: its source {fault}, so no video can be rendered. "
                "Expected a video file or a folder of images"
            )


def _clock(run: RunDirectory) -> Clock:
    starts = [camera.start for camera in run.cameras() if camera.frames]
    start = min(starts, default=0.0)
    return Clock(start, start)


def people_of(run: RunDirectory) -> dict[tuple[str, int], LabelledBoxes]:
    """The people by camera and frame index."""
    people: dict[tuple[str, int], LabelledBoxes] = {}
    columns = ("camera_id", "frame_index", "global_id", "x1", "y1", "x2", "y2")
    for camera_id, index, global_id, x1, y1, x2, y2 in run.trajectories()[columns].iter_rows():
        people.setdefault((camera_id, index), []).append((global_id, (x1, y1, x2, y2)))
    return people


def _frames(camera_id: str, config: CameraConfig) -> Iterator[Frame]:
    for frame in open_source(camera_id, config).frames():
        if isinstance(frame, Frame):
            yield frame


def _drawn(frame: Frame, people: dict[tuple[str, int], LabelledBoxes], clock: Clock) -> Image:
    image = frame.image.copy()
    draw_people(image, people.get((frame.camera_id, frame.index), []))
    text = f"{frame.camera_id}  {clock.moment(frame.timestamp)}"
    _write(image, text, (0, image.shape[0]), _BLACK)
    return image


def _thickness(image: Image) -> int:
    return max(2, int(min(image.shape[:2]) / 300 + 0.5))


def _write(
    image: Image, text: str, corner: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    """White text on a filled box with its bottom left at ``corner``, moved into the image."""
    scale, stroke = max(min(image.shape[:2]) / 1300, 0.4), max(1, _thickness(image) // 2)
    (width, height), below = cv2.getTextSize(text, _FONT, scale, stroke)
    pad = max(2, below // 2)
    width, height = width + 2 * pad, height + below + pad
    left = round(max(min(corner[0], image.shape[1] - width), 0))
    bottom = round(min(max(corner[1], height), image.shape[0] - 1))
    ground = (left, bottom - height), (left + width, bottom)
    cv2.rectangle(image, *ground, colour, cv2.FILLED)
    place = (left + pad, bottom - below)
    cv2.putText(image, text, place, _FONT, scale, _WHITE, stroke, cv2.LINE_AA)
