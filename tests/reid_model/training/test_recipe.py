"""Old names of recipe keys."""

from dataclasses import asdict

import pytest

from reid_model.training.recipe import DistillationRecipe, Recipe, current_losses, current_names

OLD = {"seed": 3, "teaching": {"teachers": ("a",), "look": "once"}}
CURRENT = {"seed": 3, "distillation": {"teachers": ("a",), "teacher_view": "plain"}}


def test_old_names_become_current_ones() -> None:
    renamed: list[tuple[str, str]] = []
    assert current_names(OLD, lambda *names: renamed.append(names)) == CURRENT
    assert renamed == [
        ("teaching", "distillation"),
        ("teaching.look: once", "distillation.teacher_view: plain"),
    ]
    assert OLD == {"seed": 3, "teaching": {"teachers": ("a",), "look": "once"}}


def test_current_names_stay() -> None:
    recipe = asdict(Recipe(distillation=DistillationRecipe(("a",), "augmented")))
    renamed: list[tuple[str, str]] = []
    assert current_names(recipe, lambda *names: renamed.append(names)) == recipe
    assert renamed == []
    assert current_names({}) == {}


def test_both_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^teaching is the old name of distillation: expected"):
        current_names({**OLD, **CURRENT})
    both = {"teaching": {"look": "once", "teacher_view": "plain"}}
    with pytest.raises(ValueError, match=r"^teaching\.look is the old name of distillation\.tea"):
        current_names(both)


def test_losses_are_named_after_their_section() -> None:
    assert current_losses({"loss": 2.0, "teaching": 1.0}) == {"loss": 2.0, "distillation": 1.0}
