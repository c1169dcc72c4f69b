import math

import pytest

from reid_model.training.optimiser import stage1_rate, stage2_factor, stage2_rate
from reid_model.training.recipe import Stage1Recipe, Stage2Recipe


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [
        (1, 0.01 * 0.9 + 0.1),
        (5, 0.01 * 0.5 + 0.5),
        (9, 0.01 * 0.1 + 0.9),
        (10, 1.0),
        (39, 1.0),
        (40, 0.1),
        (69, 0.1),
        (70, 0.01),
        (120, 0.01),
    ],
)
def test_stage_2_warms_up_and_steps_down(epoch: int, factor: float) -> None:
    recipe = Stage2Recipe()
    assert stage2_factor(epoch, recipe) == pytest.approx(factor)
    assert stage2_rate(epoch, recipe) == pytest.approx(3.5e-4 * factor)


def test_a_milestone_within_the_warm_up_counts() -> None:
    recipe = Stage2Recipe(warm_up_epochs=10, milestones=(5,))
    assert stage2_factor(5, recipe) == pytest.approx(0.1 * (0.01 * 0.5 + 0.5))


def test_stage_2_without_warm_up_starts_at_the_full_rate() -> None:
    assert stage2_factor(1, Stage2Recipe(warm_up_epochs=0)) == 1.0


def test_stage_2_with_cosine_decay() -> None:
    recipe = Stage2Recipe(epochs=10, warm_up_epochs=2, warm_up_factor=0.1, fall="cosine")
    assert stage2_factor(5, recipe) == pytest.approx(0.01 + 0.99 / 2)
    assert stage2_factor(10, recipe) == pytest.approx(0.01)
    risen = 0.1 * 0.5 + 0.5
    assert stage2_factor(1, recipe) == pytest.approx(
        risen * (0.01 + 0.99 * (1 + math.cos(math.pi / 10)) / 2)
    )


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [
        (1, 1e-5 + (3.5e-4 - 1e-5) / 5),
        (4, 1e-5 + (3.5e-4 - 1e-5) * 4 / 5),
        (5, 1e-6 + (3.5e-4 - 1e-6) * (1 + math.cos(math.pi / 12)) / 2),
        (30, 1e-6 + (3.5e-4 - 1e-6) / 2),
        (60, 1e-6),
    ],
)
def test_stage_1_warms_up_and_decays_in_a_cosine(epoch: int, rate: float) -> None:
    assert stage1_rate(epoch, Stage1Recipe()) == pytest.approx(rate)
