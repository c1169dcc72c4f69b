import cv2
import numpy as np
import pytest

from trackers.single_camera import crops
from trackers.single_camera.crops import (
    AT_BORDER,
    BLURRED,
    aspect_factor,
    border_factor,
    geometry_quality,
    height_factor,
    occlusion,
)

SIZE = (480, 640)
#: Upright, tall and clear of the border.
GOOD = (200.0, 100.0, 260.0, 250.0)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def ones(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def picture() -> np.ndarray:
    """An image of SIZE with edges everywhere."""
    noise = np.random.default_rng(0).integers(0, 255, (160, 214, 3), dtype=np.uint8)
    return np.ascontiguousarray(noise.repeat(3, axis=0).repeat(3, axis=1)[:480, :640])


def brightness(image: np.ndarray) -> crops.Brightness:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return lambda left, top, right, bottom: grey[top:bottom, left:right]


def crop_quality(box: np.ndarray, image: np.ndarray, scores: np.ndarray) -> np.ndarray:
    found = crops.Qualities(box, image.shape[:2], scores, brightness(image))
    return np.array([found.of(row) for row in range(len(box))], np.float32)


def sharpness(box: np.ndarray, image: np.ndarray) -> np.ndarray:
    return crops.sharpness(box, image.shape[:2], brightness(image))


def test_a_perfect_crop_has_quality_one() -> None:
    assert geometry_quality(boxes(GOOD), SIZE, ones(1)) == pytest.approx([1])
    assert crop_quality(boxes(GOOD), picture(), ones(1)) == pytest.approx([1])


def test_no_boxes() -> None:
    quality = crop_quality(boxes(), picture(), ones(0))

    assert quality.shape == (0,)
    assert quality.dtype == np.float32
    assert geometry_quality(boxes(), SIZE, ones(0)).dtype == np.float32


def test_height_counts_up_to_128_pixels() -> None:
    tall = boxes((0, 0, 30, 32), (0, 0, 30, 64), (0, 0, 30, 128), (0, 0, 30, 300))

    assert height_factor(tall) == pytest.approx([0.25, 0.5, 1, 1])


@pytest.mark.parametrize(
    ("aspect", "factor"),
    [(0.5, 0), (0.8, 0), (1.3, 0.5), (1.8, 1), (2.5, 1), (3.4, 1), (4.7, 0.5), (6, 0), (9, 0)],
)
def test_the_shape_of_an_upright_person(aspect: float, factor: float) -> None:
    assert aspect_factor(boxes((0, 0, 100, 100 * aspect))) == pytest.approx([factor], abs=1e-6)


@pytest.mark.parametrize(
    ("x1", "factor"),
    [
        (300, 1),
        (2, 1),  # 2 % of the width
        (1, (1 + AT_BORDER) / 2),
        (0, AT_BORDER),
        (-50, AT_BORDER / 2),  # half outside
        (-100, 0),
        (-500, 0),
    ],
)
def test_the_border(x1: float, factor: float) -> None:
    box = boxes((x1, 100, x1 + 100, 300))

    assert border_factor(box, SIZE) == pytest.approx([factor])


def test_all_four_borders_count() -> None:
    touching = boxes(
        (0, 100, 100, 300), (540, 100, 640, 300), (200, 0, 300, 200), (200, 280, 300, 480)
    )

    assert border_factor(touching, SIZE) == pytest.approx([AT_BORDER] * 4)


def test_a_lower_box_occludes_a_higher_one() -> None:
    behind, in_front = (100, 100, 200, 300), (150, 120, 250, 320)

    assert occlusion(boxes(behind, in_front)) == pytest.approx([0.5 * 0.9, 0])
    assert occlusion(boxes(in_front, behind)) == pytest.approx([0, 0.45])


def test_no_occlusion_for_single_separate_or_level_boxes() -> None:
    assert occlusion(boxes(GOOD)).tolist() == [0]
    assert occlusion(boxes((0, 0, 10, 20), (10, 0, 20, 30))).tolist() == [0, 0]
    assert occlusion(boxes((0, 0, 10, 20), (5, 0, 15, 20))).tolist() == [0, 0]


def test_only_the_largest_occlusion_counts() -> None:
    person = (100, 100, 200, 300)

    found = occlusion(boxes(person, (175, 100, 275, 310), (160, 100, 260, 310)))

    assert found[0] == pytest.approx(0.4)


def test_occlusion_lowers_quality() -> None:
    free, hidden, front = (400, 100, 460, 250), (200, 100, 260, 250), (215, 110, 275, 260)

    quality = crop_quality(boxes(free, hidden, front), picture(), ones(3))

    assert quality[1] < 0.4 < 0.9 < quality[0]
    assert quality[2] == pytest.approx(quality[0], abs=0.05)


@pytest.mark.parametrize(("score", "factor"), [(0, 0), (0.25, 0.5), (1, 1)])
def test_quality_scales_with_the_root_of_the_score(score: float, factor: float) -> None:
    quality = geometry_quality(boxes(GOOD), SIZE, np.array([score], np.float32))

    assert quality == pytest.approx([factor])


@pytest.mark.parametrize("height", [60, 150, 400])
def test_blur_lowers_quality(height: int) -> None:
    rows = np.random.default_rng(1).integers(0, 255, (48, 16, 3), dtype=np.uint8)
    person = cv2.resize(rows, (height * 2 // 5, height), interpolation=cv2.INTER_NEAREST)
    image = np.full((480, 640, 3), 90, np.uint8)
    image[20 : 20 + height, 100 : 100 + height * 2 // 5] = person
    box = boxes((100, 20, 100 + height * 2 // 5, 20 + height))
    blurred = cv2.GaussianBlur(image, (0, 0), height / 20)
    badly = cv2.GaussianBlur(image, (0, 0), height / 8)

    qualities = [crop_quality(box, one, ones(1))[0] for one in (image, blurred, badly)]

    assert qualities[0] > 1.2 * qualities[1] > 1.2 * qualities[2] > 0


def test_contrast_is_not_sharpness() -> None:
    image = picture()
    pale = (image // 4 + 100).astype(np.uint8)

    assert sharpness(boxes(GOOD), pale) == pytest.approx(sharpness(boxes(GOOD), image), abs=0.05)


def test_a_crop_without_any_edge_has_the_lowest_sharpness() -> None:
    flat = np.full((*SIZE, 3), 127, np.uint8)

    assert sharpness(boxes(GOOD), flat) == pytest.approx([BLURRED])


def test_a_box_outside_the_image_has_no_quality() -> None:
    outside = boxes((700, 100, 760, 250), (-90, 100, -30, 250), (200, -200, 260, -50))

    assert crop_quality(outside, picture(), ones(3)).tolist() == [0, 0, 0]


def test_a_box_thinner_than_a_pixel_is_valid() -> None:
    thin = boxes((100.2, 50.3, 100.4, 50.9))

    assert 0 <= crop_quality(thin, picture(), ones(1))[0] < 0.01


def test_quality_stays_between_zero_and_one() -> None:
    rng = np.random.default_rng(2)
    corners = rng.uniform(-100, 600, (200, 2))
    many = np.concatenate([corners, corners + rng.uniform(1, 300, (200, 2))], axis=1)

    quality = crop_quality(many.astype(np.float32), picture(), rng.random(200).astype(np.float32))

    assert quality.shape == (200,)
    assert quality.dtype == np.float32
    assert quality.min() >= 0
    assert quality.max() <= 1


def test_pixels_are_looked_at_once_and_only_of_the_crop_that_is_asked_for() -> None:
    looked: list[int] = []

    def bright(left: int, top: int, right: int, bottom: int) -> np.ndarray:
        looked.append(left)
        return brightness(picture())(left, top, right, bottom)

    two = boxes((20, 20, 80, 180), (100, 20, 160, 180))
    found = crops.Qualities(two, picture().shape[:2], ones(2), bright)
    assert found.most.shape == (2,)
    assert looked == []
    assert found.of(1) == found.of(1) <= found.most[1]
    assert looked == [100]
