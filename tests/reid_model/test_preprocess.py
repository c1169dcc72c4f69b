"""Resizing of crops and normalisation of pictures."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from reid_model.data.transforms import EvaluationTransform
from reid_model.preprocess import EmbedderSpec, normalise, resize_crops

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RGB = EmbedderSpec(8, 4, "rgb", 1 / 255, MEAN, STD)
BGR = EmbedderSpec(8, 4, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
#: Larger, smaller, one pixel, and shrinking in one direction only.
SIZES = ((20, 9), (8, 4), (3, 2), (1, 1), (90, 2), (3, 60))


def some_crops() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


def test_crops_are_resized_as_by_another_library() -> None:
    found = resize_crops(some_crops(), 8, 4)
    assert (found.shape, found.dtype) == ((len(SIZES), 8, 4, 3), np.uint8)
    for picture, crop in zip(found, some_crops(), strict=True):
        expected = Image.fromarray(crop).resize((4, 8), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(picture.astype(int), np.asarray(expected, int), atol=1)


def test_crops_have_the_very_pixels_of_pytorch() -> None:
    random = np.random.default_rng(0)
    for height, width in ((7, 5), (40, 16), (90, 3), (128, 300), (256, 128), (701, 289), (64, 64)):
        noise = random.integers(0, 256, (height, width, 3), np.uint8)
        for crop in (noise, np.where(noise > 127, 255, 0).astype(np.uint8)):
            pixels = torch.from_numpy(crop).permute(2, 0, 1)[None]
            for size in ((256, 128), (64, 64), (11, 13)):
                expected = interpolate(pixels, size, mode="bilinear", antialias=True)[0]
                found = resize_crops([crop], *size)[0]
                np.testing.assert_array_equal(found, expected.permute(1, 2, 0))


def plain(picture: np.ndarray, spec: EmbedderSpec) -> np.ndarray:
    """The same as `normalise`, value by value."""
    out = np.zeros((3, *picture.shape[:2]))
    for channel in range(3):
        source = 2 - channel if spec.colour == "rgb" else channel
        for y, row in enumerate(picture):
            for x, pixel in enumerate(row):
                value = float(pixel[source]) * spec.scale
                out[channel, y, x] = (value - spec.mean[channel]) / spec.std[channel]
    return out


@pytest.mark.parametrize("spec", [RGB, BGR])
def test_normalising_against_a_plain_reference(spec: EmbedderSpec) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 4, 3), np.uint8)
    batch = normalise(pictures, spec)
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch, [plain(p, spec) for p in pictures], atol=1e-4)


def test_a_crop_is_resized_as_in_an_evaluation() -> None:
    found = normalise(resize_crops(some_crops(), 8, 4), RGB)
    for seen, crop in zip(found, some_crops(), strict=True):
        rgb = torch.from_numpy(crop[:, :, ::-1].copy()).permute(2, 0, 1)
        np.testing.assert_allclose(seen, EvaluationTransform(8, 4)(rgb), atol=1e-5)


def test_colour_order() -> None:
    blue = np.zeros((1, 8, 4, 3), np.uint8)
    blue[..., 0] = 255
    assert normalise(blue, BGR)[0].max(axis=(1, 2)).tolist() == [255, 0, 0]
    assert normalise(blue, RGB)[0].max(axis=(1, 2)).argmax() == 2


def test_crops_that_are_views_or_read_only() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    frame.setflags(write=False)
    views = [frame[5:20, 3:9], frame[:, :, ::-1], frame[::-1, ::2]]
    found = resize_crops(views, 8, 4)
    np.testing.assert_array_equal(found, resize_crops([view.copy() for view in views], 8, 4))


def test_no_crops() -> None:
    pictures = resize_crops([], 8, 4)
    assert pictures.shape == (0, 8, 4, 3)
    assert normalise(pictures, RGB).shape == (0, 3, 8, 4)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.full((4, 4, 3), np.nan),
    ],
    ids=["no-rows", "no-columns", "grey", "one-channel", "alpha", "float", "NaN"],
)
def test_an_array_that_is_not_a_crop_is_refused(crop: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 BGR with at least one pixel, got"):
        resize_crops([crop], 8, 4)
