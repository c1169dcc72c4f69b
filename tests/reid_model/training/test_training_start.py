"""A training that starts from an earlier one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reid_model.data.folder import read_folder
from reid_model.data.reid_set import ReidSet
from reid_model.training.build import Parts, build_encoder, build_parts, new_model
from reid_model.training.model_files import save_model
from reid_model.training.recipe import ModelRecipe, Stage2Recipe
from reid_model.training.run import train
from reid_model.training.warm_start import apply_start, load_start
from reid_toys import toy_model, toy_recipe, write_toy_set

BEFORE = toy_model(texts=False, text_guidance=False, mscsa_modules=0)
AFTER = toy_model(texts=False, text_guidance=False, mscsa_modules=2)
POSITIONS = "model.trunk.encoder.attnpool.positional_embedding"


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> ReidSet:
    return read_folder(write_toy_set(tmp_path_factory.mktemp("toys") / "toys"))


def parts_of(recipe: ModelRecipe) -> Parts:
    torch.manual_seed(9)
    return build_parts(recipe, 6, build_encoder(recipe), None)


def test_a_folder_gives_all_trained_weights_and_mscsa_may_be_new(
    toys: ReidSet, tmp_path: Path
) -> None:
    recipe = toy_recipe(BEFORE, stage2=Stage2Recipe(epochs=1, identities=3, images=2))
    assert train(recipe, toys, tmp_path) is not None
    start = load_start(tmp_path, AFTER)
    parts = parts_of(AFTER)
    apply_start(parts, start)
    state = parts.state_dict()
    assert torch.equal(state["model.classifier_img.weight"], start["model.classifier_img.weight"])
    assert torch.equal(state[POSITIONS], start[POSITIONS])
    silent = [value for name, value in state.items() if name.endswith("channel.norm.weight")]
    assert len(silent) == 2
    assert not any(value.any() for value in silent)


def test_a_training_begins_with_those_weights(toys: ReidSet, tmp_path: Path) -> None:
    recipe = toy_recipe(BEFORE, stage2=Stage2Recipe(epochs=1, identities=3, images=2))
    train(recipe, toys, tmp_path / "one")
    still = replace(recipe, stage2=replace(recipe.stage2, learning_rate=0.0))
    train(still, toys, tmp_path / "two", start=load_start(tmp_path / "one", BEFORE))
    one, two = (load_start(tmp_path / name, BEFORE) for name in ("one", "two"))
    assert torch.equal(one["model.classifier_img.weight"], two["model.classifier_img.weight"])


def test_a_file_starts_pictures_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, new_model(BEFORE, 6, build_encoder(BEFORE)).deploy(), BEFORE)
    larger = replace(BEFORE, image_size=(128, 64))
    start = load_start(path, larger)
    assert start[POSITIONS].shape == (1 + 8 * 4, 128)
    assert torch.equal(start[POSITIONS][0], load_start(path, BEFORE)[POSITIONS][0])
    apply_start(parts_of(larger), start)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, new_model(BEFORE, 6, build_encoder(BEFORE)).deploy(), BEFORE)
    with pytest.raises(ValueError, match=r"another architecture: model\.trunk\.encoder"):
        apply_start(parts_of(replace(BEFORE, width=6, output_dim=16)), load_start(path, BEFORE))
    bright = replace(BEFORE, standardise=True)
    save_model(path, new_model(bright, 6, build_encoder(bright)).deploy(), bright)
    with pytest.raises(ValueError, match=r"set model\.standardise to true"):
        load_start(path, BEFORE)
    assert load_start(path, bright)
    with pytest.raises(ValueError, match="holds no training to start from"):
        load_start(tmp_path, BEFORE)
    with pytest.raises(ValueError, match="does not exist"):
        load_start(tmp_path / "none.safetensors", BEFORE)
