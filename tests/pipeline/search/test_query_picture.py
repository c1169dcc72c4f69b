"""From a picture file to the person in it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fakes import Box, found
from pipeline.errors import UserError
from pipeline.search.query_picture import decoded, person_in, read_file

LEFT, MIDDLE, RIGHT = (2, 4, 20, 60), (30, 4, 50, 60), (60, 4, 78, 60)


def picture(height: int = 64, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), np.arange(width)[:, None], np.uint8)


def encoded(suffix: str, image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(suffix, image)[1])


def moving(suffix: str, frames: int) -> bytes:
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(picture(), cv2.COLOR_BGR2BGRA)] * frames
    animation.frames = [np.roll(f, n, 1) for n, f in enumerate(animation.frames)]
    animation.durations = np.full(frames, 100, np.int32)
    return bytes(cv2.imencodeanimation(suffix, animation)[1])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_pictures_of_all_kinds_are_read(suffix: str) -> None:
    assert decoded(encoded(suffix, picture()), "a").shape == (64, 80, 3)


def test_grey_pictures_and_those_with_alpha_are_read_as_colour() -> None:
    grey, alpha = picture()[..., 0], cv2.cvtColor(picture(), cv2.COLOR_BGR2BGRA)
    np.testing.assert_array_equal(decoded(encoded(".png", grey), "a"), picture())
    np.testing.assert_array_equal(decoded(encoded(".png", alpha), "a"), picture())


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "damaged or not a picture"),
        (b"words", "damaged or not a picture"),
        (encoded(".png", picture())[:40], "damaged or not a picture"),
        (encoded(".png", picture(4, 80)), "only 80x4 pixels"),
        (moving(".png", 2), "animation"),
        (moving(".webp", 2), "animation"),
        (moving(".gif", 2), "animation"),
        (bytes(cv2.imencodemulti(".tiff", [picture(), picture()])[1]), "several pages"),
    ],
    ids=["empty", "text", "cut", "small", "png", "webp", "gif", "pages"],
)
def test_what_is_no_picture_of_a_person_is_named(data: bytes, fault: str) -> None:
    with pytest.raises(UserError, match=rf"^who\.png .*{fault}"):
        decoded(data, "who.png")


def test_an_animation_of_one_picture_is_one() -> None:
    assert decoded(moving(".webp", 1), "a").shape == (64, 80, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the picture .*none"):
        read_file(tmp_path / "none.png")
    with pytest.raises(UserError, match="cannot read the picture"):
        read_file(tmp_path)


def people(*boxes: Box, score: float = 0.9) -> object:
    detections = found(list(boxes))
    detections.scores[:] = score
    return detections


def test_the_only_person_is_taken_and_one_of_several_is_chosen() -> None:
    image = picture()
    only = person_in(image, people(MIDDLE), "a", None)
    np.testing.assert_array_equal(only, image[4:60, 30:50])
    # Counted from the left, whatever the order in which they were found.
    second = person_in(image, people(RIGHT, LEFT, MIDDLE), "a", 2)
    np.testing.assert_array_equal(second, only)
    assert person_in(image, people(), "a", 0) is image


def test_no_person_and_several_are_told() -> None:
    image = picture()
    with pytest.raises(UserError, match=r"no person is found in a: .*--person 0"):
        person_in(image, people(), "a", None)
    with pytest.raises(UserError, match="no person is found"):
        person_in(image, people(LEFT, score=0.49), "a", None)
    person_in(image, people(LEFT, score=0.5), "a", None)
    with pytest.raises(UserError, match=r"a shows 2 people: give --person, 1 at x 2-20, 2 at x 60"):
        person_in(image, people(RIGHT, LEFT), "a", None)
    for number in (-1, 3):
        with pytest.raises(UserError, match=rf"a has no person {number}"):
            person_in(image, people(LEFT, RIGHT), "a", number)
