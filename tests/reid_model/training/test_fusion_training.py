"""Training FusionSegReID on a hundred tiny maps: it learns, and leaves the fused model alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from reid_model.networks.fusion import FusionModel
from reid_model.training.fusion_training import (
    FusionRecipe,
    Pictures,
    Scenes,
    Words,
    align_means,
    fit_tokens,
    learn_text_head,
    padded,
    train_fusion,
    train_late_copies,
)
from reid_model.training.kept_maps import KeptMaps
from tests.fusion_toys import SMALL, toy_fusion

PEOPLE = 6
RECIPE = FusionRecipe(
    steps=13, pairs=6, scenes=6, learning_rate=5e-3, warm_up=2, average=0.5, precision="float32"
)


def material(folder: Path, model: FusionModel) -> tuple[Pictures, Words, Scenes]:
    """Two pictures of each person, before two cameras; a sentence about each person; and as many
    scenes, whose lower half is hidden."""
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(PEOPLE), 2)
    looks = random.normal(size=(PEOPLE, 64, 1, 1))[people]
    x1 = (looks + 0.1 * random.normal(size=(len(people), 64, 8, 4))).astype(np.float32)
    x2 = np.repeat(x1, 2, axis=1)[:, :96, ::2, ::2]
    first = KeptMaps(folder / "first", 1, len(people), (64, 8, 4))
    second = KeptMaps(folder / "second", 1, len(people), (96, 4, 2))
    first.write(0, 0, x1)
    second.write(0, 0, x2)
    with torch.no_grad():
        start = F.normalize(model.fused.trunk.late(torch.from_numpy(x2)).f_proj, dim=1)
    masks = np.ones((len(people), 16, 8), np.int8)
    masks[:, 8:] = 0
    parts = np.zeros((len(people), 4, 2), np.int8)
    parts[:, 0], parts[:, 1] = 1, -1
    generator = torch.Generator().manual_seed(1)
    states = [torch.randn(3 + one % 2, 12, generator=generator).half() for one in range(PEOPLE)]
    return (
        Pictures(second, start, people, np.tile([0, 1], PEOPLE), np.zeros_like(people)),
        Words(states, [np.flatnonzero(people == one) for one in range(PEOPLE)]),
        Scenes(first, second, np.arange(len(people)), masks, parts),
    )


def test_it_learns_words_masks_and_parts(tmp_path: Path) -> None:
    model = toy_fusion()
    pictures, words, scenes = material(tmp_path, model)
    fit_tokens(model, pictures, words)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found: list[dict[str, float]] = []
    average = train_fusion(
        model, pictures, words, scenes, RECIPE, lambda step, losses: found.append(losses)
    )
    assert len(found) == 13
    assert "words" not in found[1]
    assert found[0].keys() == {
        "words",
        "matching",
        "mask",
        "parts",
        "queries",
        "triplet",
        "people",
        "similarity",
        "elsewhere",
    }
    for name in ("words", "mask", "parts"):
        assert found[-1][name] < 0.8 * found[0][name], name
    after = average.state_dict()
    assert not average.training
    for name, value in before.items():
        assert torch.equal(after[name], value) or not name.startswith("fused."), name
    changed = {name.split(".")[0] for name in before if not torch.equal(after[name], before[name])}
    assert changed == {
        "adapt",
        "adapt_text",
        "text_head",
        "transformer",
        "share",
        "mask_head",
        "guidance",
        "foreground",
        "body_parts",
        "late",
        "fuse",
    }


def test_the_late_copies_learn_alone_of_whom_a_hidden_picture_is(tmp_path: Path) -> None:
    model = toy_fusion()
    pictures, _, scenes = material(tmp_path, model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found: list[dict[str, float]] = []
    recipe = replace(RECIPE, learning_rate=1e-3, average=0.0)
    train_late_copies(model, pictures, scenes, recipe, lambda step, losses: found.append(losses))
    assert found[0].keys() == {"people", "similarity", "elsewhere"}
    assert found[-1]["elsewhere"] < found[0]["elsewhere"]
    changed = {name for name, value in model.state_dict().items() if (before[name] != value).any()}
    assert changed
    assert all(name.startswith("late.") for name in changed)


def test_means_are_aligned_first(tmp_path: Path) -> None:
    model = toy_fusion()
    pictures, words, _ = material(tmp_path, model)
    fit_tokens(model, pictures, words)
    align_means(model, pictures, words, replace(RECIPE, learning_rate=1e-2), steps=60, batch=6)
    with torch.no_grad():
        maps = pictures.second.read([0] * PEOPLE, list(range(0, 2 * PEOPLE, 2)))
        whole = model.shared(model.transformer(model.picture_tokens(maps), None))
        means = model.shared_means(model.raw_tokens(maps).mean(dim=1), None)
        torch.testing.assert_close(whole, means)
        said = model.describe(*padded(words.states))
    assert (said @ whole.T).argmax(dim=1).tolist() == list(range(PEOPLE))


def test_the_text_head_learns_alone(tmp_path: Path) -> None:
    model = toy_fusion(trained=True)
    pictures, words, _ = material(tmp_path, model)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def likeness() -> torch.Tensor:
        with torch.no_grad():
            maps = pictures.second.read([0] * PEOPLE, list(range(0, 2 * PEOPLE, 2)))
            seen = model.shared(model.transformer(model.picture_tokens(maps), None))
            return (model.describe(*padded(words.states)) * seen).sum(dim=1)

    first = likeness()
    learn_text_head(model, pictures, words, RECIPE, steps=20, batch=6)
    assert (likeness() > first).all()
    assert not model.text_head.training
    changed = {name for name, value in model.state_dict().items() if (before[name] != value).any()}
    assert changed
    assert all(name.startswith("text_head.") for name in changed)


def test_words_alone_and_scenes_alone(tmp_path: Path) -> None:
    model = toy_fusion(replace(SMALL, mask=False))
    pictures, words, scenes = material(tmp_path, model)
    losses: list[dict[str, float]] = []
    train_fusion(
        model, pictures, words, None, replace(RECIPE, steps=1), lambda s, x: losses.append(x)
    )
    assert losses[0].keys() == {"words", "matching"}
    model = toy_fusion(replace(SMALL, text=False, fusion=False))
    train_fusion(
        model, pictures, None, scenes, replace(RECIPE, steps=1), lambda s, x: losses.append(x)
    )
    assert losses[1].keys() == {"mask", "parts", "people", "similarity", "elsewhere"}


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    model = toy_fusion()
    pictures, _, _ = material(tmp_path, model)
    with pytest.raises(ValueError, match="neither words nor composed pictures"):
        train_fusion(model, pictures, None, None, RECIPE)


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        model = toy_fusion()
        pictures, words, scenes = material(tmp_path, model)
        short = replace(RECIPE, steps=2)
        found.append(train_fusion(model, pictures, words, scenes, short).state_dict())
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name])


def test_words_are_padded_to_the_longest() -> None:
    together, present = padded([torch.ones(2, 3).half(), torch.ones(1, 3).half()])
    assert together.dtype == torch.float32
    assert present.tolist() == [[True, True], [True, False]]
    assert together[1].tolist() == [[1.0] * 3, [0.0] * 3]
