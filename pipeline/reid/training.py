"""What a ReID training starts from: encoders with pretrained weights, and teachers."""

from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import torch

from pipeline.errors import UserError
from pipeline.reid.models import ReportProgress, embeddings, open_model
from pipeline.weights import weights_path
from reid_model.data.dataset import EvaluationPictures
from reid_model.data.reid_set import ReidSet
from reid_model.embedder import Embedder
from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.clip_transformer import ClipText
from reid_model.networks.clip_weights import fill_image_encoder, fill_text_encoder, load_clip
from reid_model.networks.parameters import count_parameters
from reid_model.training.batches import evaluation_transform, loader, random_batches
from reid_model.training.build import build_encoder, build_parts
from reid_model.training.keras_resnet import read_weights
from reid_model.training.recipe import ModelRecipe, Recipe
from reid_model.training.warm_start import load_start, warm_start

#: Batches, and their size, on which a narrower stem is fitted to that of the ImageNet network.
_STEM_BATCHES, _STEM_BATCH = 250, 32


def encoders_of(
    recipe: Recipe, clip: Path | None, imagenet: bool, reid_set: ReidSet
) -> tuple[ClipResNet | None, ClipText | None]:
    """Image and text encoder with CLIP weights, or an image encoder with ImageNet weights.

    ``clip`` is the file of the CLIP weights. With neither, both are None. Raises UserError when
    the recipe learns texts without a file, when both are given, and for an encoder that neither
    fits; ValueError as `load_clip` and for weights that do not fit.
    """
    if clip is not None and imagenet:
        raise UserError("--clip and --imagenet exclude each other: expected not both")
    if clip is None and recipe.model.texts:
        raise UserError(
            "this recipe learns texts, which needs CLIP weights: give a local file with --clip, "
            "or set model.texts and model.text_guidance to false in the recipe"
        )
    if clip is None:
        return (_from_imagenet(recipe, reid_set) if imagenet else None), None
    weights = load_clip(clip)
    encoder = _clip_resnet(recipe)
    fill_image_encoder(encoder, weights)
    if not recipe.model.texts:
        return encoder, None
    text_encoder = ClipText(recipe.model.output_dim)
    fill_text_encoder(text_encoder, weights)
    return encoder, text_encoder


def _clip_resnet(recipe: Recipe) -> ClipResNet:
    """The recipe's encoder. Raises UserError where it is one that no CLIP or ImageNet fits."""
    encoder = build_encoder(recipe.model)
    if not isinstance(encoder, ClipResNet):
        raise UserError(
            f"weights of CLIP and ImageNet do not fit model.encoder {recipe.model.encoder}: start "
            "from reid_model/weights/omni-scale-open.safetensors with --start"
        )
    return encoder


def _from_imagenet(recipe: Recipe, reid_set: ReidSet) -> ClipResNet:
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        encoder = _clip_resnet(recipe)
    weights = read_weights(weights_path("imagenet-resnet50", kind="imagenet").parent)
    pictures = EvaluationPictures(reid_set.train, evaluation_transform(recipe.model.image_size))
    epochs = (random_batches(len(pictures), _STEM_BATCH, recipe.seed, epoch) for epoch in count(1))
    batches = list(islice(chain.from_iterable(epochs), _STEM_BATCHES))
    warm_start(encoder, weights, loader(pictures, batches, workers=0))
    return encoder


def starting_weights(recipe: Recipe, start: Path | None) -> dict[str, torch.Tensor] | None:
    """The weights of an earlier training, if one is given. Raises ValueError as `load_start`."""
    return None if start is None else load_start(start, recipe.model)


def teachers_of(
    recipe: Recipe, reid_set: ReidSet, device: str, report: ReportProgress
) -> list[torch.Tensor] | list[Embedder]:
    """The embeddings ``(N, E)`` of the training pictures by each teacher of the recipe.

    For ``teacher_view: augmented`` the opened teachers themselves. Raises UserError as
    `open_model`, and for files that are not pictures.
    """
    names = recipe.distillation.teachers
    if recipe.distillation.teacher_view == "augmented":
        return [open_model(name, device) for name in names]
    paths = [image.path for image in reid_set.train]
    return [
        torch.from_numpy(np.concatenate(list(embeddings(open_model(name, device), paths, report))))
        for name in names
    ]


def parameter_counts(width: int, mscsa_modules: int, classes: int) -> dict[str, tuple[int, bool]]:
    """Parameter count of each part, and whether the part is needed to embed a crop.

    Raises ValueError for a model that cannot be built.
    """
    recipe = ModelRecipe(width=width, mscsa_modules=mscsa_modules)
    # Parameters on the meta device take no memory.
    with torch.device("meta"):
        text_encoder = ClipText()
        parts = build_parts(recipe, classes, build_encoder(recipe), text_encoder)
    deployed = count_parameters(parts.model.deploy())
    everything = count_parameters(torch.nn.ModuleList([parts, text_encoder]))
    return {part: (count, part in deployed) for part, count in everything.items()}
