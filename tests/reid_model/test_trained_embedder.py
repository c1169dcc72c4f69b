"""A trained model through OpenVINO against PyTorch in float32."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reid_model import trained_embedder
from reid_model.embedder import Embedder
from reid_model.networks.fused import FusedEmbedder
from reid_model.trained_embedder import min_cosine, on_gpu, open_trained, trained_spec
from reid_model.training.model_files import load_model, save_model
from reid_model.training.recipe import ModelRecipe
from reid_toys import at_once, toy_batch, toy_embedder, toy_model, toy_pictures

SMALL = toy_model(embedding="after")
SPEC = trained_spec(SMALL)
#: All three modules, at the real resolution.
LARGER = toy_model(width=8, image_size=(256, 128), mscsa_modules=3, embedding="after")


def saved(path: Path, recipe: ModelRecipe) -> FusedEmbedder:
    """Write a network in which no part is the identity; returns the network that is read again."""
    save_model(path, toy_embedder(recipe), recipe)
    return load_model(path)[0]


@pytest.mark.parametrize(
    "recipe",
    [
        SMALL,
        LARGER,
        toy_model(embedding="after", normalisation="count"),
        toy_model(embedding="after", standardise=True),
        toy_model(embedding="after", spatial="literal", scale="inverse_sqrt"),
    ],
    ids=["small", "larger", "count", "standardised", "literal"],
)
def test_openvino_agrees_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: ModelRecipe
) -> None:
    # In float32: toy networks are coarse in bfloat16, more so on some pictures than on others.
    monkeypatch.setattr(trained_embedder, "MIN_COSINE_BFLOAT16", 2.0)
    path = tmp_path / "model.safetensors"
    network = saved(path, recipe)
    crops = toy_pictures()
    with torch.inference_mode():
        expected = network(toy_batch(recipe)).numpy()
    embedder = open_trained(path, "cpu", batch=4)
    found = embedder.embed(crops)
    assert (embedder.device, embedder.dimension) == ("cpu", expected.shape[1])
    assert (found * expected).sum(axis=1).min() >= 0.999
    # The network must tell the pictures apart, or the comparison would prove nothing.
    assert np.median(expected @ expected.T) < 0.5


def test_crops_of_any_size_are_embedded(tmp_path: Path) -> None:
    saved(tmp_path / "model.safetensors", SMALL)
    embedder = open_trained(tmp_path / "model.safetensors", "cpu", batch=2)
    crops = [np.full((h, w, 3), 90, np.uint8) for h, w in ((64, 32), (1, 1), (100, 30))]
    vectors = embedder.embed(crops)
    assert vectors.shape == (3, 32 * 4 + 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert embedder.embed([]).shape == (0, 32 * 4 + 16)


def test_weights_of_nan_are_refused(tmp_path: Path) -> None:
    network = toy_embedder(SMALL)
    torch.nn.init.constant_(network.trunk.encoder.conv1.weight, torch.nan)
    save_model(tmp_path / "model.safetensors", network, SMALL)
    with pytest.raises(ValueError, match="NaN or infinite"):
        open_trained(tmp_path / "model.safetensors", "cpu")


def test_float32_replaces_a_bfloat16_that_is_too_coarse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, SMALL)
    cosines = [0.9979, 0.999]
    monkeypatch.setattr(trained_embedder, "min_cosine", lambda found, expected: cosines.pop(0))
    assert open_trained(path, "cpu").device == "cpu"
    assert "bfloat16 is too coarse (cosine 0.9979), using float32" in caplog.text
    cosines = [0.5, 0.9989]
    with pytest.raises(ValueError, match=r"OpenVINO's vectors differ .*cosine 0\.9989"):
        open_trained(path, "cpu")


def test_a_gpu_computes_in_float16_where_that_is_good_enough(
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened: list[bool] = []

    def open_one(half: bool) -> Embedder:
        opened.append(half)
        return Embedder(at_once(lambda pictures: np.ones((len(pictures), 3))), SPEC, "cuda:0", 1)

    assert on_gpu(open_one, Path("model"), lambda embedder: 0.999).device == "cuda:0"
    assert (opened, caplog.text) == ([True], "")
    on_gpu(open_one, Path("model"), lambda embedder: 0.9989)
    assert opened == [True, True, False]
    assert "model: float16 is too coarse (cosine 0.9989), using float32" in caplog.text


def test_nan_counts_as_the_opposite() -> None:
    rows = np.eye(2, dtype=np.float32)
    assert min_cosine(rows, rows) == 1
    assert min_cosine(np.full((2, 2), np.nan, np.float32), rows) == -1
