"""All that is learned, as one module: its state is what a checkpoint keeps."""

from collections.abc import Sequence

from torch import nn

from reid_model.networks.clip_transformer import ClipText
from reid_model.networks.encoder import Encoder, new_encoder
from reid_model.networks.fused import FusedModel
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.text_guidance import TextGuidance
from reid_model.training.recipe import ModelRecipe


class Parts(nn.Module):
    """The model, what guides texts, the prompts, and a linear map to each teacher's space.

    ``guidance`` and ``prompts`` are None where the recipe has no use for them. Names in the state
    begin with those of the attributes.
    """

    def __init__(
        self,
        model: FusedModel,
        guidance: TextGuidance | None,
        prompts: PromptLearner | None,
        to_teachers: Sequence[nn.Linear],
    ) -> None:
        super().__init__()
        self.model = model
        self.guidance = guidance
        self.prompts = prompts
        self.to_teachers = nn.ModuleList(to_teachers)


def build_encoder(recipe: ModelRecipe) -> Encoder:
    """The recipe's image encoder, with random weights. Raises ValueError for a bad size."""
    return new_encoder(
        recipe.encoder, recipe.width, recipe.layers, recipe.output_dim, recipe.image_size
    )


def new_model(recipe: ModelRecipe, classes: int, encoder: Encoder) -> FusedModel:
    """The recipe's model around ``encoder``. Raises ValueError when the two do not fit."""
    _check_encoder(recipe, encoder)
    return FusedModel(
        encoder,
        classes,
        mscsa_modules=recipe.mscsa_modules,
        normalisation=recipe.normalisation,
        spatial=recipe.spatial,
        scale=recipe.scale,
        embedding=recipe.embedding,
        standardise=recipe.standardise,
    )


def build_parts(
    recipe: ModelRecipe,
    classes: int,
    encoder: Encoder,
    text_encoder: ClipText | None,
    teachers: Sequence[int] = (),
) -> Parts:
    """New parts around ``encoder``. ``text_encoder`` gives the words between the learned ones,
    ``teachers`` are the dimensions of their embeddings.

    Raises ValueError when the encoders do not fit the recipe or each other.
    """
    model = new_model(recipe, classes, encoder)
    prompts = None
    if recipe.texts:
        text_encoder = _checked(text_encoder, encoder)
        prompts = PromptLearner(text_encoder.token_embedding.weight, classes)
    dimension = encoder.channels[-1] + encoder.output_dim
    return Parts(
        model,
        _guidance(recipe, encoder) if recipe.text_guidance else None,
        prompts,
        [nn.Linear(dimension, theirs) for theirs in teachers],
    )


def _guidance(recipe: ModelRecipe, encoder: Encoder) -> TextGuidance:
    return TextGuidance(recipe.output_dim, encoder.channels[3], residual=recipe.residual)


def _check_encoder(recipe: ModelRecipe, encoder: Encoder) -> None:
    has = (encoder.width, encoder.output_dim, tuple(encoder.image_size))
    wanted = (recipe.width, recipe.output_dim, recipe.image_size)
    if has != wanted:
        raise ValueError(
            f"the image encoder has (width, output_dim, image_size) {has}, the recipe {wanted}"
        )


def _checked(text_encoder: ClipText | None, encoder: Encoder) -> ClipText:
    if text_encoder is None:
        raise ValueError(
            "the recipe learns texts, which needs a text encoder: give CLIP weights, "
            "or set model.texts and model.text_guidance to false"
        )
    if text_encoder.output_dim != encoder.output_dim:
        raise ValueError(
            f"image and text encoder must share a space, but they have "
            f"{encoder.output_dim} and {text_encoder.output_dim} dimensions"
        )
    return text_encoder
