import numpy as np
import pytest

from fakes import BOX, RED, found, scene
from pipeline.node.crops import crop_of, cut, qualities
from pipeline.sources.picture import BgrPicture

IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def box(*corners: float) -> np.ndarray:
    return np.array(corners, np.float32)


@pytest.mark.parametrize(
    ("corners", "rows", "columns"),
    [
        ((1, 1, 3, 4), (1, 4), (1, 3)),
        # Every pixel that the box touches.
        ((1.9, 0.9, 2.1, 1.1), (0, 2), (1, 3)),
        ((0, 0, 6, 4), (0, 4), (0, 6)),
        ((-5, -5, 99, 99), (0, 4), (0, 6)),
        # Outside the image, the nearest pixel is used.
        ((50, 50, 60, 60), (3, 4), (5, 6)),
        ((-9, -9, -5, -5), (0, 1), (0, 1)),
    ],
)
def test_cut(corners: tuple[float, ...], rows: tuple[int, int], columns: tuple[int, int]) -> None:
    expected = IMAGE[slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(cut(BgrPicture(IMAGE), box(*corners)), expected)


def test_a_cut_is_a_view_and_a_crop_is_not() -> None:
    image = scene({BOX: RED})
    picture = BgrPicture(image)
    detections = found([BOX])
    view, crop = cut(picture, detections.boxes[0]), crop_of(detections, 0, picture)
    assert np.shares_memory(view, image)
    assert crop.image is not None
    assert not np.shares_memory(crop.image, image)
    np.testing.assert_array_equal(crop.image, view)
    assert crop.embedding is None


def test_a_crop_takes_the_embedding_of_its_row_along() -> None:
    embeddings = np.eye(2, dtype=np.float32)
    crop = crop_of(found([BOX, BOX], embeddings), 1, None)
    assert crop.image is None
    assert crop.embedding is not None
    assert crop.embedding.tolist() == [0, 1]


def test_without_pixels_the_position_in_the_image_counts() -> None:
    inside, at_the_border = (60, 20, 100, 140), (160, 20, 200, 140)
    detections = found([inside, at_the_border])
    one, other = qualities(detections, None, (160, 200)).most
    assert one == pytest.approx(120 / 128 * 0.9**0.5)
    assert other == pytest.approx(one / 2)
    # In a wider picture neither is at the border.
    wider = qualities(detections, None, (160, 300))
    assert [wider.of(row) for row in (0, 1)] == pytest.approx([one, one])


def test_with_pixels_their_sharpness_counts_too() -> None:
    detections, size = found([BOX]), (160, 200)
    noise = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    flat = qualities(detections, BgrPicture(scene({BOX: RED})), (1, 1)).of(0)
    sharp = qualities(detections, BgrPicture(noise), (1, 1)).of(0)
    assert flat < sharp
    assert sharp == pytest.approx(qualities(detections, None, size).of(0))
