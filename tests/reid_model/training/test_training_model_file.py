from pathlib import Path

import numpy as np
import pytest
import torch
from reid_toys import toy_model
from safetensors.torch import load_file, save_file

from reid_model.training.model_file import load_model, open_trained, save_model
from reid_model.training.parts import build_encoder, new_model
from reid_model.training.recipe import ModelRecipe


def saved(path: Path, recipe: ModelRecipe) -> torch.Tensor:
    """Write a model with 6 classes; returns its embeddings of two pictures."""
    torch.manual_seed(3)
    model = new_model(recipe, 6, build_encoder(recipe)).eval()
    save_model(path, model, recipe)
    with torch.no_grad():
        return model.embed(torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(4)))


@pytest.mark.parametrize("embedding", ["before", "after"])
def test_a_model_comes_back_as_it_was(tmp_path: Path, embedding: str) -> None:
    path = tmp_path / "model.safetensors"
    expected = saved(path, toy_model(embedding=embedding))
    embedder, recipe = load_model(path)
    assert recipe == toy_model(embedding=embedding)
    assert not embedder.training
    with torch.no_grad():
        found = embedder(torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(4)))
    assert torch.equal(found, expected)


def test_crops_of_any_size_are_embedded(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, toy_model())
    embedder = open_trained(path, "cpu", batch=2)
    crops = [np.full((h, w, 3), 90, np.uint8) for h, w in ((64, 32), (1, 1), (100, 30))]
    vectors = embedder.embed(crops)
    assert vectors.shape == (3, 32 * 4 + 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert embedder.embed([]).shape == (0, 32 * 4 + 16)


def test_colours_are_read_as_in_training(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, toy_model())
    bgr = np.zeros((64, 32, 3), np.uint8)
    bgr[:, :, 2] = 255
    red = (torch.tensor([1.0, 0.0, 0.0]) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    embedder, _ = load_model(path)
    with torch.no_grad():
        expected = embedder(red[None, :, None, None].expand(1, 3, 64, 32))
    found = open_trained(path, "cpu").embed([bgr])
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match="does not exist"):
        load_model(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is damaged or no safetensors file"):
        load_model(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="no model of `fusetrack reid train`"):
        load_model(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, toy_model())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="is damaged"):
        load_model(path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, toy_model())
    state = load_file(path)
    state.pop("trunk.encoder.conv1.weight")
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(state, path, metadata)
    with pytest.raises(ValueError, match="does not hold the weights of the model it names"):
        load_model(path)
