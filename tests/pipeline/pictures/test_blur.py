"""Blurring: unrecognisable inside the boxes, unchanged outside."""

from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema import Blur
from pipeline.pictures.blur import blurred, boxes_in_crop, regions_of

Image = NDArray[np.uint8]
PERSON = (60.0, 40.0, 120.0, 240.0)
# A smoothing that leaves a face one knows, a tenth of its width, is at 0.7.
RECOGNISED = 0.35


def noise(height: int = 300, width: int = 200, seed: int = 1) -> Image:
    """Coloured blobs of the size of facial features."""
    rough = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    smooth = cv2.GaussianBlur(rough, (0, 0), 2)
    return np.asarray(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def likeness(a: Image, b: Image) -> float:
    """Correlation of two images; 1 for equal ones."""
    return float(np.corrcoef(a.reshape(-1).astype(float), b.reshape(-1).astype(float))[0, 1])


def part(image: Image, region: tuple[int, int, int, int]) -> Image:
    left, top, right, bottom = region
    return image[top:bottom, left:right]


@pytest.mark.parametrize("how", ["faces", "bodies"])
def test_unrecognisable_inside_and_unchanged_outside(how: Blur) -> None:
    image = noise()
    before = image.copy()
    result = blurred(image, [PERSON], how)
    (region,) = regions_of([PERSON], how, 300, 200)
    assert likeness(part(image, region), part(image, region)) == pytest.approx(1)
    assert likeness(part(result, region), part(image, region)) < RECOGNISED
    outside = np.ones((300, 200), bool)
    part(outside, region)[:] = False
    assert np.array_equal(result[outside], image[outside])
    assert np.array_equal(image, before)


def test_images_with_equal_means_become_equal() -> None:
    """So neither of them can be recovered."""
    stripes = np.zeros((90, 90, 3), np.uint8)
    stripes[::2] = 200
    flat = np.full((90, 90, 3), 100, np.uint8)
    box = [(0.0, 0.0, 90.0, 90.0)]
    difference = blurred(stripes, box, "bodies").astype(int) - blurred(flat, box, "bodies")
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0])
def test_blur_does_not_depend_on_size(scale: float) -> None:
    size = max(round(100 * scale), 1), max(round(200 * scale), 1)
    image = cv2.resize(noise(200, 100), size, interpolation=cv2.INTER_AREA)
    result = blurred(image, [(0, 0, *size)], "bodies")
    few = cv2.resize(result, (4, 8), interpolation=cv2.INTER_AREA)
    again = cv2.resize(few, size, interpolation=cv2.INTER_CUBIC)
    # Some thirty colours tell all that there is.
    assert np.abs(again.astype(int) - result).mean() < 12


def test_the_head_of_a_standing_person() -> None:
    (region,) = regions_of([PERSON], "faces", 300, 200)
    left, top, right, bottom = region
    assert left < 60
    assert right > 120
    assert top < 40
    assert 40 + 0.25 * 200 < bottom < 40 + 0.45 * 200


def test_the_head_of_a_person_cut_off_at_the_waist() -> None:
    (region,) = regions_of([(50, 100, 150, 200)], "faces", 300, 200)
    assert region[3] >= 180
    # Never more than the person.
    (region,) = regions_of([(50, 100, 150, 120)], "faces", 300, 200)
    assert region[3] <= 120 + 10


def test_regions_are_clipped_to_the_image() -> None:
    image = noise()
    boxes = [(-50, -50, 20, 60), (180, 280, 400, 400), (199, 299, 205, 305)]
    result = blurred(image, boxes, "bodies")
    assert result.shape == image.shape
    assert not np.array_equal(result[:50, :15], image[:50, :15])
    assert not np.array_equal(result[285:, 185:], image[285:, 185:])
    assert np.array_equal(result[100:250, 50:150], image[100:250, 50:150])


@pytest.mark.parametrize(
    "boxes",
    [
        np.zeros((0, 4), np.float32),
        [],
        [(10, 10, 10, 10)],
        [(50, 50, 40, 40)],
        [(500, 10, 600, 50)],
        [(np.nan, 0, 10, 10)],
    ],
    ids=["none", "no list", "empty", "inside out", "outside", "no numbers"],
)
@pytest.mark.parametrize("how", get_args(Blur))
def test_invalid_boxes_change_nothing(boxes: object, how: Blur) -> None:
    image = noise()
    assert np.array_equal(blurred(image, boxes, how), image)  # type: ignore[arg-type]


def test_without_blur_the_image_is_unchanged() -> None:
    image = noise()
    assert blurred(image, [PERSON], "none") is image


def test_a_person_of_one_pixel() -> None:
    image = noise()
    result = blurred(image, [(10, 10, 11, 11)], "bodies")
    assert np.array_equal(result[20:], image[20:])


def test_overlapping_people_are_all_blurred() -> None:
    """In any order of the boxes."""
    image = noise()
    other = (90.0, 60.0, 150.0, 260.0)
    for boxes in ([PERSON, other], [other, PERSON]):
        result = blurred(image, boxes, "bodies")
        for region in regions_of(boxes, "bodies", 300, 200):
            assert likeness(part(result, region), part(image, region)) < RECOGNISED


def test_boxes_in_the_coordinates_of_a_crop() -> None:
    boxes = np.array([[10.5, 20, 50, 90], [-4, 30, 20, 80]], np.float32)
    inside = boxes_in_crop(boxes, boxes[0])
    assert inside.tolist() == [[0.5, 0, 40, 70], [-14, 10, 10, 60]]
    assert boxes_in_crop(boxes, boxes[1])[0].tolist() == [10.5, -10, 50, 60]


def test_a_weak_blur_is_detected() -> None:
    image = part(noise(), (60, 40, 120, 100))
    assert likeness(np.asarray(cv2.GaussianBlur(image, (0, 0), 6), np.uint8), image) > RECOGNISED
