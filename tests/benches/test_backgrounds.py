from pathlib import Path

import cv2
import numpy as np

from backgrounds import accuracy, before_places
from reid_model.data import ReidImage
from reid_model.data.composed_pictures import LabelledPictures
from reid_model.data.person_masks import SIZE, PersonMasks

RED, BLUE = (0, 0, 255), (255, 0, 0)


class MeanColour:
    """A fake: the mean colour of a crop; it knows people by their background as well."""

    dimension = 3

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        vectors = np.stack([crop.reshape(-1, 3).mean(axis=0) for crop in crops])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pictures(folder: Path) -> LabelledPictures:
    image = np.full((128, 64, 3), 128, np.uint8)
    image[20:110, 16:48] = RED
    cv2.imwrite(str(folder / "a.png"), image)
    mask = np.zeros((1, *SIZE), np.int8)
    mask[:, 20:110, 16:48] = 1
    joints = np.full((1, 33, 3), 0.5, np.float32)
    return LabelledPictures(
        folder, PersonMasks(("a.png",), mask, np.array([0.9], np.float32), joints)
    )


def test_only_the_place_of_the_camera_is_behind_the_person(tmp_path: Path) -> None:
    found = pictures(tmp_path)
    places = [np.full((300, 400, 3), colour, np.uint8) for colour in (BLUE, (0, 200, 0))]
    for camera, channel in ((1, 0), (2, 1)):
        image = before_places(found, 0, places, camera, seed=3).astype(int)
        corner = image[:4, :4].mean(axis=(0, 1))
        assert corner.argmax() == channel
        assert image[128, 64].argmax() == 2
    again = before_places(found, 0, places, 2, seed=3)
    assert (again == image).all()


def test_camera_one_is_looked_for_before_camera_two() -> None:
    images = [ReidImage(Path(f"{n}.png"), n % 2, 1 + n // 2) for n in range(4)]
    colours = [RED, BLUE, RED, BLUE]
    shown = [np.full((8, 4, 3), colour, np.uint8) for colour in colours]
    assert accuracy(MeanColour(), images, shown.__getitem__) == {"r1": 1.0, "map": 1.0}
    exchanged = [*shown[:2], *shown[:1:-1]]
    assert accuracy(MeanColour(), images, exchanged.__getitem__) == {"r1": 0.0, "map": 0.5}
