import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reid_model.similarity import SimilarityFit
from reid_model.training.build import build_encoder, new_model
from reid_model.training.model_files import (
    load_model,
    save_model,
    save_similarity,
)
from reid_model.training.recipe import ModelRecipe
from reid_model.weights_header import load_similarity
from reid_toys import toy_model


def saved(path: Path, recipe: ModelRecipe) -> torch.Tensor:
    """Write a model with 6 classes; returns its embeddings of two pictures."""
    torch.manual_seed(3)
    model = new_model(recipe, 6, build_encoder(recipe)).eval()
    save_model(path, model.deploy(), recipe)
    with torch.no_grad():
        return model.embed(torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(4)))


@pytest.mark.parametrize("embedding", ["before", "after"])
def test_a_model_is_loaded_as_it_was_saved(tmp_path: Path, embedding: str) -> None:
    path = tmp_path / "model.safetensors"
    expected = saved(path, toy_model(embedding=embedding))
    embedder, recipe = load_model(path)
    assert recipe == toy_model(embedding=embedding)
    assert not embedder.training
    with torch.no_grad():
        found = embedder(torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(4)))
    assert torch.equal(found, expected)


def test_the_score_calibration_is_in_the_model_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, toy_model())
    assert load_similarity(path) is None
    model = new_model(toy_model(), 6, build_encoder(toy_model()))
    fit = SimilarityFit(12.5, 0.4, 0.25, 0.1, 0.3, 0.5)
    save_model(path, model.deploy(), toy_model(), fit, torch.float16)
    assert load_similarity(path) == fit
    before = load_model(path)[0].state_dict()
    other = replace(fit, slope=20.0)
    save_similarity(path, other)
    assert load_similarity(path) == other
    assert all(torch.equal(v, before[name]) for name, v in load_model(path)[0].state_dict().items())


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    torch.manual_seed(3)
    embedder = new_model(toy_model(), 6, build_encoder(toy_model())).eval().deploy()
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_model(whole, embedder, toy_model())
    save_model(half, embedder, toy_model(), dtype=torch.float16)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    pictures = torch.rand(2, 3, 64, 32)
    with torch.no_grad():
        cosines = (load_model(half)[0](pictures) * embedder(pictures)).sum(dim=1)
    assert cosines.min() > 0.9999


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match="does not exist"):
        load_model(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is damaged or not a safetensors file"):
        load_model(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="not a model of `fusetrack reid train`"):
        load_model(path)


def test_files_of_an_earlier_and_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, toy_model())
    values = asdict(toy_model())
    older = {name: value for name, value in values.items() if name != "standardise"}
    header = {"model": older, "similarity": None}
    save_file(load_file(path), path, {"fusetrack-reid-1": json.dumps(header)})
    assert load_model(path)[1] == toy_model()
    header["model"] = {**values, "smell": True, "taste": 1}
    save_file(load_file(path), path, {"fusetrack-reid-1": json.dumps(header)})
    with pytest.raises(ValueError, match="newer fusetrack, with the unknown keys smell, taste"):
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
    with pytest.raises(ValueError, match="has weights that do not fit the model in its header"):
        load_model(path)
