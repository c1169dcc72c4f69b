"""Who walks where, and the videos of the cameras with their truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from demo_scene.cutting import FPS, Image, WalkFrame
from pipeline.pictures.video import write_video
from walking.composed import Placed, painted
from walking.cutouts import Cutout
from walking.scene import Visit

#: Width and height of the pictures, and how long the scene is.
SIZE, LENGTH_S = (960, 540), 60.0
# How far a person walks in a second, in heights of a person; measured in the clip.
_PACE = 0.75
# How far outside the picture the head is at first and at last, in heights of a person.
_OUTSIDE = 0.35


@dataclass(frozen=True, slots=True)
class SceneCamera:
    """A part of the place, as shares of its width (left, top, width); ``mirrored`` left to right.

    People are ``height`` pixels tall, with their feet at ``feet`` or a lane below or above it.
    """

    part: tuple[float, float, float]
    mirrored: bool
    height: float
    feet: float


CAMERAS = {
    "gate": SceneCamera((0.43, 0.241, 0.57), False, 352.0, 486.0),
    "path": SceneCamera((0.0, 0.21, 0.62), True, 330.0, 482.0),
    "yard": SceneCamera((0.0, 0.0, 1.0), False, 232.0, 497.0),
}


@dataclass(frozen=True, slots=True)
class WalkPast:
    """A person goes past a camera from second ``start`` on, to the left or ``to_right``; ``lane``
    is nearer (positive) or farther, in shares of the person's height."""

    person: int
    camera: str
    start: float
    to_right: bool
    lane: float = 0.0


#: Six people, each past two or three cameras, some at the same time.
WALKS = (
    WalkPast(0, "gate", 0.5, to_right=False),
    WalkPast(1, "gate", 4.5, to_right=False, lane=0.06),
    WalkPast(0, "path", 8.0, to_right=True),
    WalkPast(2, "yard", 2.0, to_right=True),
    WalkPast(1, "path", 13.0, to_right=True),
    WalkPast(0, "yard", 15.5, to_right=False, lane=0.05),
    WalkPast(2, "path", 13.8, to_right=False, lane=-0.06),
    WalkPast(3, "gate", 17.0, to_right=True, lane=-0.04),
    WalkPast(2, "gate", 21.0, to_right=True),
    WalkPast(1, "yard", 22.0, to_right=False),
    WalkPast(4, "gate", 27.0, to_right=False),
    WalkPast(3, "yard", 26.5, to_right=True, lane=0.05),
    WalkPast(5, "path", 29.0, to_right=False, lane=-0.05),
    WalkPast(4, "path", 34.5, to_right=True),
    WalkPast(5, "gate", 36.5, to_right=True),
    WalkPast(3, "path", 37.5, to_right=False, lane=0.06),
    WalkPast(4, "yard", 42.5, to_right=False, lane=-0.05),
    WalkPast(0, "gate", 43.0, to_right=True),
    WalkPast(5, "yard", 45.5, to_right=True, lane=0.05),
    WalkPast(2, "path", 46.0, to_right=True),
    WalkPast(1, "gate", 49.5, to_right=False, lane=0.05),
    WalkPast(2, "yard", 53.5, to_right=False),
)


def compose(place: Image, people: Sequence[Sequence[WalkFrame]], folder: Path) -> pl.DataFrame:
    """Write CAMERA.mp4 below ``folder``, the cameras at the same moments; returns the truth.

    ``people`` are the steps of each. The truth has camera_id, frame (from 1), person, and the box
    x, y, width, height of what is inside the picture.
    """
    truth: list[tuple[object, ...]] = []
    for name, camera in CAMERAS.items():
        write_video(folder / f"{name}.mp4", _pictures(name, camera, place, people, truth))
    columns = ["camera_id", "frame", "person", "x", "y", "width", "height"]
    return pl.DataFrame(truth, columns, orient="row")


def write_truth(truth: pl.DataFrame, folder: Path) -> None:
    """Write CAMERA.txt in the format of MOTChallenge."""
    folder.mkdir(exist_ok=True)
    for (name,), rows in truth.group_by("camera_id"):
        rows.select(
            *("frame", pl.col("person") + 1, "x", "y", "width", "height"), score=1, kind=1, shown=1
        ).write_csv(folder / f"{name}.txt", include_header=False)


def _pictures(
    name: str,
    camera: SceneCamera,
    place: Image,
    people: Sequence[Sequence[WalkFrame]],
    truth: list[tuple[object, ...]],
) -> Iterator[tuple[float, Image]]:
    background = part_of(place, camera)
    mirrored = [[step.mirrored() for step in steps] for steps in people]
    for frame in range(int(LENGTH_S * FPS)):
        time = frame / FPS
        there = [
            _placed(walk, camera, time, mirrored if walk.to_right else people)
            for walk in WALKS
            if walk.camera == name and walk.start <= time <= end_of(walk, camera)
        ]
        image, boxes = painted(background, there)
        for visit, (x1, y1, x2, y2) in boxes:
            truth.append((name, frame + 1, visit.person, x1, y1, x2 - x1, y2 - y1))
        yield time, image


def part_of(place: Image, camera: SceneCamera) -> Image:
    """What ``camera`` sees of the empty place."""
    wide = place.shape[1]
    left, top, width = (round(share * wide) for share in camera.part)
    part = place[top : top + width * SIZE[1] // SIZE[0], left : left + width]
    part = part[:, ::-1] if camera.mirrored else part
    return np.asarray(cv2.resize(part, SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def end_of(walk: WalkPast, camera: SceneCamera) -> float:
    """When a walk is out of the picture, seconds."""
    height = _height(walk, camera)
    return walk.start + (SIZE[0] + 2 * _OUTSIDE * height) / (_PACE * height)


def place_of(walk: WalkPast, camera: SceneCamera, time: float) -> tuple[float, float, float]:
    """Column of the head, row of the feet, and height of a walker in the picture, pixels."""
    height = _height(walk, camera)
    gone = (time - walk.start) * _PACE * height - _OUTSIDE * height
    head = gone if walk.to_right else SIZE[0] - gone
    return head, camera.feet + walk.lane * camera.height, height


def _height(walk: WalkPast, camera: SceneCamera) -> float:
    return camera.height * (1 + walk.lane)


def _placed(
    walk: WalkPast, camera: SceneCamera, time: float, people: Sequence[Sequence[WalkFrame]]
) -> Placed:
    steps = people[walk.person]
    head, feet, height = place_of(walk, camera, time)
    step = steps[round(time * FPS) % len(steps)]
    scale = height / step.mask.shape[0]
    visit = Visit(0, walk.person, 0, walk.start, end_of(walk, camera), (), (0, 0), (0, 0))
    cutout = Cutout(step.image, step.mask)
    return Placed(visit, cutout, round(head - step.head * scale), round(feet - height), height)
