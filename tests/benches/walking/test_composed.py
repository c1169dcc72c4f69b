"""Composed pictures: who is in front hides who is behind, and the truth says what is to be seen."""

from pathlib import Path

import cv2
import numpy as np

from walking.composed import FPS, Placed, compose, composed_scene, painted, placed_at, shown_row
from walking.crops import Crops
from walking.cutouts import Cutout
from walking.plates import SIZE
from walking.scene import Scene, Visit

GREY = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)


def cutout(value: int) -> Cutout:
    """A person who is a rectangle of one colour, half as wide as tall."""
    return Cutout(np.full((200, 100, 3), value, np.uint8), np.full((200, 100), 255, np.uint8))


def visit(
    number: int, x: float, feet: float, *, camera: int = 0, end: float = 10.0, rows: int = 1
) -> Visit:
    """A person who stands still at a place, in pixels of a picture 1920 wide."""
    some = tuple(range(number, number + rows))
    return Visit(number, number, camera, 0.0, end, some, (x, feet), (x, feet))


def people(*visits: Visit) -> list[Placed]:
    return [placed_at(v, {v.number: cutout(200 + v.number)}, 1.0) for v in visits]


def test_nobody_is_there() -> None:
    image, boxes = painted(GREY, [])
    assert (image == GREY).all()
    assert boxes == []


def test_a_box_is_the_outline() -> None:
    image, ((_, box),) = painted(GREY, people(visit(0, 960, 1000)))
    assert box == (430, 320, 530, 520)
    assert (image[400, 480] == 200).all()
    assert (image[400, 600] == 100).all()


def test_who_is_nearer_is_in_front_and_who_is_hidden_is_not_there() -> None:
    far, near = visit(0, 960, 990), visit(1, 960, 1000)
    for order in ((far, near), (near, far)):
        image, boxes = painted(GREY, people(*order))
        assert [shown.number for shown, _ in boxes] == [1]
        assert (image[400, 480] == 201).all()


def test_a_part_outside_the_picture_is_cut_off() -> None:
    _, ((_, box),) = painted(GREY, people(visit(0, 100, 1000)))
    assert box[0] == 0
    assert painted(GREY, people(visit(0, 0, 1000)))[1] == []


def test_crops_come_round_again() -> None:
    one = visit(3, 0, 500, rows=2)
    assert [shown_row(one, t) for t in (0.0, 1.39, 1.41, 2.81)] == [3, 3, 4, 3]


def test_videos_and_their_truth(tmp_path: Path) -> None:
    visits = (visit(0, 960, 1000, end=0.5), visit(1, 300, 600, camera=1, end=0.35))
    scene = Scene(2, visits, ())
    truth = compose(scene, {0: cutout(200), 1: cutout(50)}, [GREY, GREY], tmp_path)
    first, second = (truth.filter(camera_id=name) for name in ("c0", "c1"))
    assert first["frame_index"].to_list() == [0, 1, 2, 3, 4, 5]
    assert second["frame_index"].to_list() == [0, 1, 2, 3]
    assert set(second["person_id"]) == {1}
    for name in ("c0", "c1"):
        video = cv2.VideoCapture(str(tmp_path / f"{name}.mp4"))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == int(1.5 * FPS)


def test_a_walk_ends_with_its_recording() -> None:
    person = np.repeat(np.arange(30), 4)
    camera = np.tile([0, 0, 1, 1], 30)
    crops = Crops(person, camera, np.zeros((120, 0), np.float32))
    scene = composed_scene(crops, 30, 2, 0)
    assert [visit.number for visit in scene.visits] == list(range(len(scene.visits)))
    assert max(visit.start for visit in scene.visits) < 75
    assert scene.tracks == ()
