import pytest

from reid_model.training.recipe import (
    AugmentRecipe,
    DistillationRecipe,
    ModelRecipe,
    Recipe,
    Stage1Recipe,
    Stage2Recipe,
)


def test_the_defaults_are_the_published_values() -> None:
    recipe = Recipe()
    first, second = recipe.stage1, recipe.stage2
    assert (first.epochs, first.batch, first.learning_rate, first.weight_decay) == (
        *(60, 64),
        *(3.5e-4, 1e-4),
    )
    assert (second.epochs, second.learning_rate, second.weight_decay) == (120, 3.5e-4, 5e-4)
    assert (second.bias_factor, second.warm_up_epochs, second.warm_up_factor) == (2, 10, 0.01)
    assert (second.milestones, second.identities, second.images) == ((40, 70), 16, 4)
    assert (second.smoothing, second.margin) == (0.1, 0.3)
    assert (recipe.model.mscsa_modules, recipe.model.image_size) == (3, (256, 128))
    assert recipe.seed == 1234
    augment = recipe.augment
    assert (augment.tight, augment.coarse, augment.recolour, augment.occlude) == (0, 0, 0, 0)
    assert (augment.mix, recipe.model.standardise) == (0, False)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (Stage1Recipe, {"epochs": 0}, "epochs must be at least 1, got 0"),
        (Stage1Recipe, {"learning_rate": -1.0}, "learning_rate must be at least 0"),
        (Stage2Recipe, {"learning_rate": float("nan")}, "learning_rate must be at least 0"),
        (Stage2Recipe, {"smoothing": 1.01}, "smoothing must be within 0..1"),
        (Stage2Recipe, {"milestones": (70, 40)}, "milestones must increase"),
        (Stage2Recipe, {"milestones": (40, 40)}, "milestones must increase"),
        (AugmentRecipe, {"flip": 1.5}, "flip must be within 0..1"),
        (AugmentRecipe, {"pad": -1}, "pad must be at least 0"),
        (ModelRecipe, {"texts": False}, "text_guidance needs texts"),
        (ModelRecipe, {"layers": (3, 0, 6, 3)}, "layers must be at least 1"),
        (AugmentRecipe, {"hue": 0.51}, r"hue must be within 0\.\.0\.5, half the circle, got 0\.51"),
        (AugmentRecipe, {"hue": -0.1}, r"hue must be within 0\.\.0\.5, half the circle, got -0\.1"),
        (DistillationRecipe, {"temperature": 0.0}, "temperature must be above 0"),
        (DistillationRecipe, {"repeat": -1}, "repeat must be at least 0"),
        (DistillationRecipe, {"repeat": 2}, "set teacher_view to augmented, or repeat to 0"),
        (
            DistillationRecipe,
            {"teacher_view": "never"},
            "must be one of plain, augmented, got 'never'",
        ),
        (Stage2Recipe, {"fall": "wall"}, "fall must be one of steps, cosine, got 'wall'"),
        (Recipe, {"seed": -1}, "seed must be at least 0"),
        (Recipe, {"precision": "half"}, "precision must be one of float32, bfloat16, float16"),
    ],
)
def test_a_value_out_of_range_is_refused(
    part: type, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        part(**values)


def test_mixed_pictures_need_a_teacher_of_augmented_ones() -> None:
    mix = AugmentRecipe(mix=0.1)
    assert (
        Recipe(augment=mix, distillation=DistillationRecipe(teacher_view="augmented")).augment.mix
        == 0.1
    )
    with pytest.raises(ValueError, match=r"augment\.mix makes pictures without an identity"):
        Recipe(augment=mix)
