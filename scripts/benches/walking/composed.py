"""Composed video: the people of a walk, cut out of their crops, go through real backgrounds.

A person is shown by crops of their own, taken by that camera, one after the other; who is nearer
to the camera hides who is farther away. The truth is known to the pixel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluation.boxes import SCHEMA
from pipeline.pictures.video import write_video
from walking.crops import Crops
from walking.cutouts import Cutout, placed
from walking.plates import SIZE
from walking.scene import Scene, Visit, make_scene
from walking.stream import camera_name

Image = NDArray[np.uint8]

FPS = 10.0
#: All people come in within this time, however many they are, and recordings end after the other.
_ARRIVALS_S, _LENGTH_S = 40.0, 75.0
#: A crop is shown for about this long.
_CROP_S = 1.4
# The footpoint of the farthest and of the nearest person, and how tall they are.
_FEET_PX, _PERSON_PX = (300.0, 520.0), (115.0, 200.0)
# How far outside the picture people come in and leave.
_OUTSIDE_PX = 40.0
# Of whom less is to be seen is not there.
_VISIBLE = 0.2

#: Columns of the truth: a box is the person's outline inside the picture, hidden or not.
TRUTH = pl.Schema({**SCHEMA, "visit": pl.Int64()})


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A person in one picture; ``x`` and ``y`` are the left upper corner."""

    visit: Visit
    cutout: Cutout
    x: int
    y: int
    height: float


def composed_scene(crops: Crops, people: int, cameras: int, seed: int) -> Scene:
    """The walk of ``people`` in as much time as it takes any number, without tracks.

    Raises ValueError when fewer people were seen by two of the cameras.
    """
    scene = make_scene(crops, people, cameras, seed, arrival_s=_ARRIVALS_S / people)
    visits = [visit for visit in scene.visits if visit.start < _LENGTH_S - _CROP_S]
    numbered = [replace(visit, number=number) for number, visit in enumerate(visits)]
    return replace(scene, visits=tuple(numbered), tracks=())


def compose(
    scene: Scene, cutouts: Mapping[int, Cutout], backgrounds: Sequence[Image], folder: Path
) -> pl.DataFrame:
    """Write ``CAMERA.mp4`` of each camera below ``folder``; returns the truth, see `TRUTH`.

    ``cutouts`` has the crops of the visits by row. All cameras start at 0 seconds of the walk.
    """
    frames = int(min(max(visit.end for visit in scene.visits) + 1, _LENGTH_S) * FPS)
    truth: list[tuple[object, ...]] = []
    for camera in range(scene.cameras):
        here = [visit for visit in scene.visits if visit.camera == camera]
        name = camera_name(camera)
        pictures = _pictures(name, here, cutouts, backgrounds[camera], frames, truth)
        write_video(folder / f"{name}.mp4", pictures)
    return pl.DataFrame(truth, TRUTH, orient="row")


def _pictures(
    name: str,
    visits: list[Visit],
    cutouts: Mapping[int, Cutout],
    background: Image,
    frames: int,
    truth: list[tuple[object, ...]],
) -> Iterator[tuple[float, Image]]:
    for frame in range(frames):
        time = frame / FPS
        people = [placed_at(v, cutouts, time) for v in visits if v.start <= time <= v.end]
        image, boxes = painted(background, people)
        truth += [(name, frame, visit.person, *box, visit.number) for visit, box in boxes]
        yield time, image


def placed_at(visit: Visit, cutouts: Mapping[int, Cutout], time: float) -> Placed:
    """Where a visitor is at a moment of the visit."""
    way = visit.at(np.array([time]))[0]
    feet = float(np.interp(way[1], (500.0, 1000.0), _FEET_PX))
    height = float(np.interp(feet, _FEET_PX, _PERSON_PX))
    cutout = cutouts[shown_row(visit, time)]
    width = height * cutout.mask.shape[1] / cutout.mask.shape[0]
    middle = float(np.interp(way[0], (0.0, 1920.0), (-_OUTSIDE_PX, SIZE[0] + _OUTSIDE_PX)))
    return Placed(visit, cutout, round(middle - width / 2), round(feet - height), height)


def shown_row(visit: Visit, time: float) -> int:
    """Which crop of a visit is shown; they come round again."""
    return visit.rows[int((time - visit.start) / _CROP_S) % len(visit.rows)]


def painted(
    background: Image, people: Sequence[Placed]
) -> tuple[Image, list[tuple[Visit, tuple[float, float, float, float]]]]:
    """The picture, and the boxes (xyxy, pixels) of those of whom something is to be seen."""
    image = background.astype(np.float32)
    owner = np.zeros(image.shape[:2], np.int32)
    outlines = []
    for number, one in enumerate(sorted(people, key=lambda p: p.y + p.height), start=1):
        pixels, opaque, person = placed(one.cutout, one.height)
        inside, part = _overlap(one, person.shape, owner.shape)
        if not person[part].any():
            continue
        share = opaque[part][..., None]
        image[inside] = share * pixels[part] + (1 - share) * image[inside]
        owner[inside][person[part]] = number
        outlines.append((number, one, int(person.sum()), _box(person[part], inside)))
    shown = np.bincount(owner.ravel(), minlength=len(people) + 1)
    return image.round().astype(np.uint8), [
        (one.visit, box) for number, one, area, box in outlines if shown[number] >= _VISIBLE * area
    ]


def _overlap(
    one: Placed, size: tuple[int, ...], picture: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of the picture that a person is in, and that part of the person."""
    left, top = max(one.x, 0), max(one.y, 0)
    right, bottom = (
        max(min(one.x + size[1], picture[1]), left),
        max(min(one.y + size[0], picture[0]), top),
    )
    return (slice(top, bottom), slice(left, right)), (
        slice(top - one.y, bottom - one.y),
        slice(left - one.x, right - one.x),
    )


def _box(
    person: NDArray[np.bool_], inside: tuple[slice, slice]
) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    top, left = inside[0].start, inside[1].start
    return (
        float(left + columns[0]),
        float(top + rows[0]),
        float(left + columns[-1] + 1),
        float(top + rows[-1] + 1),
    )
