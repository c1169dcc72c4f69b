"""Whole trainings of a tiny network on a tiny set."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from reid_model.data import ReidSet, class_labels
from reid_model.data.folder import read_folder
from reid_model.embedder import Embedder, EmbedderSpec
from reid_model.networks.clip_transformer import ClipText
from reid_model.training.checkpoint import load_checkpoint, save_checkpoint
from reid_model.training.recipe import (
    AugmentRecipe,
    DistillationRecipe,
    Recipe,
    Stage1Recipe,
    Stage2Recipe,
)
from reid_model.training.run import train
from reid_model.training.state import TrainingProgress
from reid_toys import at_once, toy_model, toy_recipe, toy_text_encoder, write_toy_set

pytestmark = pytest.mark.usefixtures("one_thread")


class Killed(Exception):
    """Simulates the end of the process."""


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> ReidSet:
    return read_folder(write_toy_set(tmp_path_factory.mktemp("toys") / "toys"))


@cache
def texts() -> ClipText:
    """A text encoder; no training changes it."""
    return toy_text_encoder()


def trained(recipe: Recipe, toys: ReidSet, out: Path, **how: object) -> dict[str, Tensor]:
    """The weights after a training, always with the same text encoder."""
    text = texts() if recipe.model.texts else None
    path = train(recipe, toys, out, text_encoder=text, **how)  # type: ignore[arg-type]
    assert path == out / "model.safetensors"
    return load_file(path)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def curves(out: Path) -> list[dict[str, float]]:
    lines = (out / "curves.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def plain(**changes: object) -> Recipe:
    """The baseline: no texts, long enough to learn."""
    return toy_recipe(
        toy_model(texts=False, text_guidance=False),
        stage2=Stage2Recipe(
            epochs=25,
            identities=6,
            images=2,
            warm_up_epochs=3,
            learning_rate=2e-3,
            milestones=(22,),
        ),
        augment=AugmentRecipe(pad=2, erase=0.2),
        **changes,
    )


def short(recipe: Recipe) -> Recipe:
    """The same for four epochs of two batches, where it need not learn."""
    stage2 = replace(recipe.stage2, epochs=4, warm_up_epochs=1, milestones=(3,))
    return replace(recipe, stage2=stage2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_baseline_learns_the_toy_set(toys: ReidSet, tmp_path: Path, precision: str) -> None:
    reports: list[TrainingProgress] = []
    trained(plain(precision=precision), toys, tmp_path / "out", report=reports.append)
    steps = [progress for progress in reports if progress.what == "stage 2"]
    assert [(p.epoch, p.step, p.steps, p.epochs) for p in steps] == [
        (epoch, step, 2, 25) for epoch in range(1, 26) for step in (1, 2)
    ]
    assert steps[-1].losses["loss"] < 0.8 * steps[0].losses["loss"]
    assert {p.losses["image_to_text"] for p in steps} == {0.0}
    assert all(progress.images_per_s > 0 for progress in steps)
    assert [(p.step, p.steps) for p in reports if p.what == "measuring"] == [(18, 18)]
    card = json.loads((tmp_path / "out" / "model.json").read_text())
    assert card["figures"]["rank1"] == 1.0
    assert card["figures"]["queries"] == 6
    assert card["data"] == {"name": "toys", "identities": 6, "pictures": 24}
    assert card["recipe"]["model"]["width"] == 4
    rows = curves(tmp_path / "out")
    assert [row["epoch"] for row in rows] == list(range(1, 26))
    last = [progress.losses["loss"] for progress in steps[-2:]]
    assert rows[-1]["loss"] == pytest.approx(sum(last) / 2)
    assert rows[-1]["learning_rate"] == pytest.approx(2e-4)


@pytest.fixture(scope="module")
def undisturbed(
    toys: ReidSet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Tensor], list[TrainingProgress]]:
    """The weights after `toy_recipe`, and what was reported."""
    reports: list[TrainingProgress] = []
    out = tmp_path_factory.mktemp("undisturbed")
    return trained(toy_recipe(), toys, out, report=reports.append), reports


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(
    toys: ReidSet,
    undisturbed: tuple[dict[str, Tensor], list[TrainingProgress]],
    tmp_path: Path,
) -> None:
    first, _ = undisturbed
    torch.manual_seed(99)
    second = trained(toy_recipe(), toys, tmp_path / "second")
    after = torch.rand(1)
    assert same(first, second)
    assert not same(first, trained(toy_recipe(seed=2), toys, tmp_path / "other"))
    # A training has its own random state.
    torch.manual_seed(99)
    assert torch.equal(torch.rand(1), after)


def test_an_epoch_may_end_early(toys: ReidSet, tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    recipe = plain()
    recipe = replace(recipe, stage2=replace(recipe.stage2, epochs=2, batches=1))
    trained(recipe, toys, tmp_path, report=reports.append)
    steps = [(p.epoch, p.step, p.steps) for p in reports if p.what == "stage 2"]
    assert steps == [(1, 1, 1), (2, 1, 1)]


@pytest.mark.parametrize("mode", ["A", "B"])
def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(
    toys: ReidSet, tmp_path: Path, mode: str
) -> None:
    recipe = toy_recipe(
        stage1=Stage1Recipe(mode=mode, epochs=2, batch=10, warm_up_epochs=1)  # type: ignore[arg-type]
    )
    whole = trained(recipe, toys, tmp_path / "whole")
    for kills, every_s in (((1, 3, 2, 4), 0.0), ((9,), 1e9)):
        out = tmp_path / f"killed-{kills}-{every_s}"
        for steps in kills:
            with pytest.raises(Killed):
                trained(
                    recipe,
                    toys,
                    out,
                    resume=True,
                    report=after_steps(steps),
                    checkpoint_every_s=every_s,
                )
        assert same(whole, trained(recipe, toys, out, resume=True))
        assert curves(out) == curves(tmp_path / "whole")
        assert len(list((out / "checkpoints").iterdir())) == 2


def after_steps(steps: int) -> Callable[[TrainingProgress], None]:
    """A report function that simulates the end of the process after this many batches."""
    left = [steps]

    def report(progress: TrainingProgress) -> None:
        left[0] -= progress.what.startswith("stage")
        if left[0] == 0:
            raise Killed

    return report


@pytest.mark.parametrize("steps", [1, 3, 7, 14])
def test_a_stopped_training_loses_nothing(
    toys: ReidSet,
    undisturbed: tuple[dict[str, Tensor], list[TrainingProgress]],
    tmp_path: Path,
    steps: int,
) -> None:
    recipe = toy_recipe()
    weights, whole = undisturbed
    reports: list[TrainingProgress] = []
    stopped = train(
        recipe,
        toys,
        tmp_path / "out",
        text_encoder=texts(),
        report=reports.append,
        stop=lambda: len(reports) >= steps,
    )
    assert stopped is None
    assert len(reports) == steps
    assert not (tmp_path / "out" / "model.safetensors").exists()
    resumed = trained(recipe, toys, tmp_path / "out", resume=True, report=reports.append)
    assert same(weights, resumed)
    assert [p.losses for p in reports if p.losses] == [p.losses for p in whole if p.losses]


def test_worker_processes_do_not_change_the_weights(toys: ReidSet, tmp_path: Path) -> None:
    recipe = replace(plain(), augment=AugmentRecipe(occlude=0.5, recolour=0.5, tight=0.5))
    recipe = replace(recipe, stage2=replace(recipe.stage2, epochs=1))
    alone = trained(recipe, toys, tmp_path / "alone")
    assert same(alone, trained(recipe, toys, tmp_path / "helped", workers=2))


def test_a_finished_training_can_be_resumed_and_changes_nothing(
    toys: ReidSet, tmp_path: Path
) -> None:
    recipe = short(plain())
    first = trained(recipe, toys, tmp_path)
    reports: list[TrainingProgress] = []
    assert same(first, trained(recipe, toys, tmp_path, resume=True, report=reports.append))
    assert {progress.what for progress in reports} == {"measuring"}


def test_stage_1_in_mode_a_embeds_every_picture_once(toys: ReidSet, tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    recipe = toy_recipe(stage1=Stage1Recipe(mode="A", epochs=3, batch=8))
    trained(recipe, toys, tmp_path, report=reports.append)
    assert [p.step for p in reports if p.what == "features"] == [24]
    # 24 pictures are three batches of 8, without an empty fourth one.
    assert [(p.epoch, p.step) for p in reports if p.what == "stage 1"] == [
        (epoch, step) for epoch in (1, 2, 3) for step in (1, 2, 3)
    ]


@pytest.mark.parametrize("mode", ["A", "B"])
def test_stage_1_does_not_change_the_encoder(toys: ReidSet, tmp_path: Path, mode: str) -> None:
    stage1 = Stage1Recipe(mode=mode, epochs=2, batch=8)  # type: ignore[arg-type]
    reports: list[TrainingProgress] = []

    def state_after(steps: int) -> dict[str, Tensor]:
        train(
            toy_recipe(stage1=stage1),
            toys,
            tmp_path,
            text_encoder=texts(),
            resume=True,
            report=reports.append,
            stop=lambda: sum(p.what == "stage 1" for p in reports) >= steps,
        )
        content = load_checkpoint(tmp_path / "checkpoints")
        assert content is not None
        parts: dict[str, Tensor] = content["parts"]
        return parts

    early, late = state_after(1), state_after(6)
    changed = {name for name in early if not torch.equal(early[name], late[name])}
    assert "prompts.context" in changed
    rest = {name for name in changed if not name.startswith("prompts.")}
    assert all(name.startswith("model.trunk.mscsa.") for name in rest)
    # MSCSA is in training in mode B: its normalisations count batches.
    assert ("model.trunk.mscsa.0.spatial.norm.running_mean" in rest) == (mode == "B")
    assert bool(rest) == (mode == "B")


def test_stage_1_learns_prompts_that_fit_the_pictures(toys: ReidSet, tmp_path: Path) -> None:
    recipe = toy_recipe(
        stage1=Stage1Recipe(epochs=25, batch=24, learning_rate=5e-2, weight_decay=0.0)
    )
    trained(recipe, toys, tmp_path)
    rows = curves(tmp_path)
    losses = [row["loss"] for row in rows if row["stage"] == 1]
    assert losses[-1] < 0.9 * losses[0]


def test_guided_and_plain_texts_both_have_a_loss(toys: ReidSet, tmp_path: Path) -> None:
    def first_loss(name: str, guided: bool, plain_texts: bool) -> float:
        reports: list[TrainingProgress] = []
        recipe = toy_recipe(
            toy_model(text_guidance=guided),
            stage2=Stage2Recipe(epochs=1, identities=3, images=2, plain_texts=plain_texts),
        )
        trained(recipe, toys, tmp_path / name, report=reports.append)
        return next(p.losses["image_to_text"] for p in reports if p.what == "stage 2")

    plain_loss = first_loss("plain", False, False)
    assert first_loss("guided", True, False) == pytest.approx(plain_loss, rel=1e-3)
    assert first_loss("both", True, True) == pytest.approx(2 * plain_loss, rel=1e-3)


def test_distillation_from_a_teacher(toys: ReidSet, tmp_path: Path) -> None:
    teacher = torch.eye(3)[torch.from_numpy(class_labels(toys.train)) % 3]
    reports: list[TrainingProgress] = []
    recipe = replace(plain(), distillation=DistillationRecipe(("colours",)))
    trained(recipe, toys, tmp_path, report=reports.append, teachers=[teacher])
    losses = [p.losses["distillation"] for p in reports if p.what == "stage 2"]
    assert losses[-1] < 0.7 * losses[0]


def colour_teacher(seen: list[NDArray[np.uint8]]) -> Embedder:
    """Embeds the mean colour; collects its input in ``seen``."""

    def forward(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(pictures)
        return pictures.mean(axis=(1, 2), dtype=np.float32)

    spec = EmbedderSpec(64, 32, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Embedder(at_once(forward), spec, "cpu", batch=64)


def test_a_teacher_of_augmented_pictures_gets_those_of_the_student(
    toys: ReidSet, tmp_path: Path
) -> None:
    seen: list[NDArray[np.uint8]] = []
    teacher = colour_teacher(seen)
    reports: list[TrainingProgress] = []
    recipe = replace(
        plain(),
        augment=AugmentRecipe(mix=0.3, occlude=0.2),
        distillation=DistillationRecipe(("colours",), teacher_view="augmented"),
    )
    trained(recipe, toys, tmp_path / "long", report=reports.append, teachers=[teacher])
    losses = [p.losses["distillation"] for p in reports if p.what == "stage 2"]
    assert losses[-1] < 0.7 * losses[0]
    assert all(pictures.shape == (12, 64, 32, 3) for pictures in seen[1:])

    recipe = short(recipe)
    whole = trained(recipe, toys, tmp_path / "a", teachers=[teacher])
    kill = after_steps(5)
    with pytest.raises(Killed):
        trained(recipe, toys, tmp_path / "b", report=kill, teachers=[teacher], checkpoint_every_s=0)
    again = trained(recipe, toys, tmp_path / "b", teachers=[teacher], resume=True)
    assert same(whole, again)


def repeating(epochs: int, repeat: int) -> Recipe:
    """Distillation on augmented pictures, which are used again after ``repeat`` epochs."""
    return replace(
        plain(),
        stage2=replace(plain().stage2, epochs=epochs),
        augment=AugmentRecipe(mix=0.3),
        distillation=DistillationRecipe(("colours",), teacher_view="augmented", repeat=repeat),
    )


def test_repeated_pictures_are_not_embedded_again(toys: ReidSet, tmp_path: Path) -> None:
    def calls(epochs: int, repeat: int) -> int:
        seen: list[NDArray[np.uint8]] = []
        out = tmp_path / f"{epochs} epochs, {repeat}"
        trained(repeating(epochs, repeat), toys, out, teachers=[colour_teacher(seen)])
        assert not (out / "answers").exists()
        return len(seen)

    assert calls(2, 0) == calls(2, 2) == calls(5, 2) < calls(5, 0)


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_a_stopped_training_with_repeated_pictures_loses_nothing(
    toys: ReidSet, tmp_path: Path, steps: int
) -> None:
    def distilled(out: str, **how: object) -> dict[str, Tensor]:
        teachers = [colour_teacher([])]
        return trained(repeating(5, 2), toys, tmp_path / out, teachers=teachers, **how)

    with pytest.raises(Killed):
        distilled("stopped", report=after_steps(steps), checkpoint_every_s=0)
    assert same(distilled("stopped", resume=True), distilled("whole"))


def test_embeddings_of_another_training_are_deleted(toys: ReidSet, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        trained(
            repeating(5, 2),
            toys,
            tmp_path,
            teachers=[colour_teacher([])],
            report=after_steps(8),
            checkpoint_every_s=math.inf,
        )
    assert list((tmp_path / "answers").iterdir())
    seen: list[NDArray[np.uint8]] = []
    trained(repeating(1, 1), toys, tmp_path, teachers=[colour_teacher(seen)], resume=True)
    assert len(seen) > 1


def test_mixed_pictures_count_in_distillation_only(toys: ReidSet, tmp_path: Path) -> None:
    teacher = colour_teacher([])
    reports: list[TrainingProgress] = []
    recipe = toy_recipe(
        augment=AugmentRecipe(mix=1.0),
        distillation=DistillationRecipe(("colours",), teacher_view="augmented"),
    )
    trained(recipe, toys, tmp_path, report=reports.append, teachers=[teacher])
    for losses in (p.losses for p in reports if p.what == "stage 2"):
        assert (losses["identity"], losses["triplet"], losses["image_to_text"]) == (0, 0, 0)
        assert losses["loss"] == losses["distillation"] > 0


def test_a_training_is_not_overwritten_or_mixed_with_another(toys: ReidSet, tmp_path: Path) -> None:
    recipe = short(plain())
    trained(recipe, toys, tmp_path)
    with pytest.raises(ValueError, match="holds a training already"):
        train(recipe, toys, tmp_path)
    with pytest.raises(ValueError, match="another recipe, which differs in seed"):
        train(replace(recipe, seed=3), toys, tmp_path, resume=True)
    fewer = replace(toys, train=toys.train[:-1])
    with pytest.raises(ValueError, match="on other pictures"):
        train(recipe, fewer, tmp_path, resume=True)


def test_a_checkpoint_without_newer_keys_is_resumed(toys: ReidSet, tmp_path: Path) -> None:
    recipe = short(plain())
    whole = trained(recipe, toys, tmp_path / "whole")
    with pytest.raises(Killed):
        trained(recipe, toys, tmp_path / "out", report=after_steps(5), checkpoint_every_s=0)
    content = load_checkpoint(tmp_path / "out" / "checkpoints")
    assert content is not None
    del content["recipe"]["model"]["standardise"], content["recipe"]["distillation"]["teacher_view"]
    save_checkpoint(tmp_path / "out" / "checkpoints", content["steps"] + 1, content)
    assert same(whole, trained(recipe, toys, tmp_path / "out", resume=True))


@pytest.mark.parametrize("repeat", [0, 2])
def test_a_checkpoint_with_old_names_is_resumed(toys: ReidSet, tmp_path: Path, repeat: int) -> None:
    def distilled(out: str, **how: object) -> dict[str, Tensor]:
        teachers = [colour_teacher([])]
        return trained(repeating(4, repeat), toys, tmp_path / out, teachers=teachers, **how)

    with pytest.raises(Killed):
        distilled("out", report=after_steps(5), checkpoint_every_s=0)
    checkpoints = tmp_path / "out" / "checkpoints"
    content = load_checkpoint(checkpoints)
    assert content is not None
    old = content["recipe"]["teaching"] = content["recipe"].pop("distillation")
    assert old.pop("teacher_view") == "augmented"
    old["look"] = "always"
    for losses in (content["sums"], *content["history"]):
        losses["teaching"] = losses.pop("distillation")
    save_checkpoint(checkpoints, content["steps"] + 1, content)
    assert same(distilled("out", resume=True), distilled("whole"))
    assert curves(tmp_path / "out") == curves(tmp_path / "whole")


def test_what_does_not_fit_is_refused(toys: ReidSet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a text encoder"):
        train(toy_recipe(), toys, tmp_path)
    with pytest.raises(ValueError, match="must share a space"):
        train(toy_recipe(), toys, tmp_path, text_encoder=toy_text_encoder(32))
    with pytest.raises(ValueError, match="names 0 teachers, got 1"):
        train(plain(), toys, tmp_path, teachers=[torch.zeros(len(toys.train), 3)])
    recipe = replace(plain(), distillation=DistillationRecipe(("colours",)))
    with pytest.raises(ValueError, match="has embeddings of 2 pictures, but there are"):
        train(recipe, toys, tmp_path, teachers=[torch.zeros(2, 3)])
    with pytest.raises(ValueError, match="no pictures to train on"):
        train(plain(), replace(toys, train=()), tmp_path)
    with pytest.raises(ValueError, match="float16 needs a GPU"):
        train(plain(precision="float16"), toys, tmp_path)
    many = replace(plain(), stage2=Stage2Recipe())
    with pytest.raises(ValueError, match="16 identities"):
        train(many, toys, tmp_path)


def test_a_loss_that_is_not_finite_ends_the_training(toys: ReidSet, tmp_path: Path) -> None:
    recipe = replace(plain(), stage2=replace(plain().stage2, learning_rate=1e30))
    with pytest.raises(ValueError, match="no longer a number in epoch"):
        train(recipe, toys, tmp_path)


def test_a_set_without_queries_is_not_evaluated(toys: ReidSet, tmp_path: Path) -> None:
    trained(plain(), replace(toys, query=(), gallery=()), tmp_path)
    assert json.loads((tmp_path / "model.json").read_text())["figures"] == {}
