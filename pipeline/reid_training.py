"""What a training of a ReID network starts from: encoders with CLIP's weights, teachers, sizes."""

from pathlib import Path

import torch

from pipeline.errors import UserError
from pipeline.reid_models import open_model, teacher
from reid_model.clip_resnet import ClipResNet
from reid_model.clip_text import ClipText
from reid_model.clip_weights import fill_image_encoder, fill_text_encoder, load_clip
from reid_model.parameters import count_parameters
from reid_model.training.parts import Teacher, build_encoder, build_parts
from reid_model.training.recipe import ModelRecipe, Recipe


def encoders_of(recipe: Recipe, clip: Path | None) -> tuple[ClipResNet | None, ClipText | None]:
    """Image and text encoder with the weights in the file ``clip``; without it there are none.

    Raises UserError when the recipe learns texts and there is no file, and ValueError as
    `load_clip` and for weights that do not fit.
    """
    if clip is None and recipe.model.texts:
        raise UserError(
            "this recipe learns texts, which needs CLIP's weights: give a local file with --clip, "
            "or set model.texts and model.text_guidance to false in the recipe"
        )
    if clip is None:
        return None, None
    weights = load_clip(clip)
    encoder = build_encoder(recipe.model)
    fill_image_encoder(encoder, weights)
    if not recipe.model.texts:
        return encoder, None
    text_encoder = ClipText(recipe.model.output_dim)
    fill_text_encoder(text_encoder, weights)
    return encoder, text_encoder


def teachers_of(recipe: Recipe, device: str) -> list[Teacher]:
    """The networks that the recipe names. Raises UserError as `open_model`."""
    return [teacher(open_model(name, device)) for name in recipe.teaching.teachers]


def parameter_counts(width: int, mscsa_modules: int, classes: int) -> dict[str, tuple[int, bool]]:
    """Parameters by part, and whether embedding a crop needs that part.

    Raises ValueError for a model that cannot be built.
    """
    recipe = ModelRecipe(width=width, mscsa_modules=mscsa_modules)
    # Counting needs no memory for the numbers themselves.
    with torch.device("meta"):
        text_encoder = ClipText()
        parts = build_parts(recipe, classes, build_encoder(recipe), text_encoder)
    deployed = count_parameters(parts.model.deploy())
    everything = count_parameters(torch.nn.ModuleList([parts, text_encoder]))
    return {part: (count, part in deployed) for part, count in everything.items()}
