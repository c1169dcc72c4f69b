import pytest
import torch
from torch.optim import Adam

from reid_model.training.build import Parts, build_encoder, build_parts
from reid_model.training.optimiser import set_rate, stage_optimiser
from reid_model.training.recipe import Recipe, Stage1Recipe
from reid_toys import toy_model, toy_recipe, toy_text_encoder


@pytest.fixture(scope="module")
def parts() -> Parts:
    model = toy_model()
    return build_parts(model, 6, build_encoder(model), toy_text_encoder())


def names(parts: Parts, optimiser: Adam, group: int) -> set[str]:
    by_id = {id(parameter): name for name, parameter in parts.named_parameters()}
    return {by_id[id(p)] for p in optimiser.param_groups[group]["params"]}


def test_stage_1_in_mode_a_trains_only_the_prompts(parts: Parts) -> None:
    optimiser = stage_optimiser(parts, 1, toy_recipe(stage1=Stage1Recipe("A")))
    assert len(optimiser.param_groups) == 1
    assert names(parts, optimiser, 0) == {"prompts.context"}
    assert [n for n, p in parts.named_parameters() if p.requires_grad] == ["prompts.context"]
    assert optimiser.param_groups[0]["weight_decay"] == 1e-4


def test_stage_1_in_mode_b_trains_mscsa_too_at_one_rate(parts: Parts) -> None:
    optimiser = stage_optimiser(parts, 1, toy_recipe(stage1=Stage1Recipe("B")))
    trained = names(parts, optimiser, 0) | names(parts, optimiser, 1)
    mscsa = {n for n, _ in parts.named_parameters() if n.startswith("model.trunk.mscsa.")}
    assert trained == mscsa | {"prompts.context"}
    assert [group["factor"] for group in optimiser.param_groups] == [1.0, 1.0]


def test_stage_2_trains_all_but_the_prompts_and_the_biases_of_the_necks(parts: Parts) -> None:
    stage_optimiser(parts, 1, Recipe())
    optimiser = stage_optimiser(parts, 2, Recipe())
    weights, biases = names(parts, optimiser, 0), names(parts, optimiser, 1)
    assert {name for name, _ in parts.named_parameters()} - weights - biases == {
        "prompts.context",
        "model.neck_img.bias",
        "model.neck_proj.bias",
    }
    assert all(name.endswith("bias") for name in biases)
    assert not any(name.endswith("bias") for name in weights)
    assert "guidance.gamma" in weights
    set_rate(optimiser, 1e-3)
    assert [group["lr"] for group in optimiser.param_groups] == [1e-3, 2e-3]
    assert {group["weight_decay"] for group in optimiser.param_groups} == {5e-4}


def test_a_frozen_parameter_gets_no_gradient(parts: Parts) -> None:
    stage_optimiser(parts, 2, toy_recipe())
    parts.train()
    output = parts.model(torch.rand(2, 3, 64, 32))
    sum(score.sum() for score in output.scores).backward()  # type: ignore[union-attr]
    assert parts.model.neck_img.bias.grad is None
    assert parts.model.neck_img.weight.grad is not None
