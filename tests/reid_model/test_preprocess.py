"""Crops to batches."""

import cv2
import numpy as np
import pytest

from reid_model.preprocess import EmbedderSpec, crops_to_batch

RGB = EmbedderSpec("onnx", 8, 4, "rgb", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BGR = EmbedderSpec("onnx", 8, 4, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def plain(crop: np.ndarray, spec: EmbedderSpec) -> np.ndarray:
    """The same, value by value."""
    small = cv2.resize(crop, (spec.width, spec.height))
    out = np.zeros((3, spec.height, spec.width))
    for channel in range(3):
        source = 2 - channel if spec.colour == "rgb" else channel
        for y in range(spec.height):
            for x in range(spec.width):
                value = float(small[y, x, source]) * spec.scale
                out[channel, y, x] = (value - spec.mean[channel]) / spec.std[channel]
    return out


@pytest.mark.parametrize("spec", [RGB, BGR])
def test_against_a_plain_reference(spec: EmbedderSpec) -> None:
    random = np.random.default_rng(0)
    crops = [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((20, 9), (8, 4), (1, 1))]
    batch = crops_to_batch(crops, spec)
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch, [plain(crop, spec) for crop in crops], atol=1e-4)


def test_colour_order() -> None:
    blue = np.zeros((8, 4, 3), np.uint8)
    blue[:, :, 0] = 255
    assert crops_to_batch([blue], BGR)[0].max(axis=(1, 2)).tolist() == [255, 0, 0]
    assert crops_to_batch([blue], RGB)[0].max(axis=(1, 2)).argmax() == 2


def test_no_crops() -> None:
    assert crops_to_batch([], RGB).shape == (0, 3, 8, 4)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_crop_is_refused(crop: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 BGR"):
        crops_to_batch([crop], RGB)
