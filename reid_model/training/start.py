"""A training that sets out from one before it, perhaps on smaller pictures."""

from pathlib import Path

from torch import Tensor

from reid_model.networks.positional import grid_of, stretched
from reid_model.training.checkpoint import load_checkpoint
from reid_model.training.model_file import load_model
from reid_model.training.parts import Parts
from reid_model.training.recipe import ModelRecipe

_POSITIONS = "model.trunk.encoder.attnpool.positional_embedding"
_ENCODER = "model.trunk.encoder."


def start_of(path: Path, recipe: ModelRecipe) -> dict[str, Tensor]:
    """The weights of a `save_model` file, or all that a training's folder has learned, for pictures
    of the recipe's size; names are those of `Parts`.

    Raises ValueError when there is nothing to start from, as `load_model` and `load_checkpoint`,
    and for a model of standardised pictures when the recipe's are not.
    """
    state, theirs = _learned(path) if path.is_dir() else _deployed(path)
    if theirs.standardise and not recipe.standardise:
        raise ValueError(
            f"{path} knows standardised pictures only: set model.standardise to true in the recipe"
        )
    old, new = (grid_of(one.image_size, 16, 16) for one in (theirs, recipe))
    if old != new:
        state[_POSITIONS] = stretched(state[_POSITIONS], old, new)
    return state


def set_out_from(parts: Parts, start: dict[str, Tensor]) -> None:
    """Fill ``parts`` with the weights that fit; all but the image encoder may stay new.

    Raises ValueError when the encoder has another architecture.
    """
    own = parts.state_dict()
    fitting = {
        name: value
        for name, value in start.items()
        if name in own and own[name].shape == value.shape
    }
    missing = [name for name in own if name.startswith(_ENCODER) and name not in fitting]
    if missing:
        raise ValueError(
            f"the model to start from has another architecture: {missing[0]} does not fit; "
            "width, layers and output_dim must be the recipe's"
        )
    parts.load_state_dict(fitting, strict=False)


def _deployed(path: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    embedder, recipe = load_model(path)
    return {f"model.{name}": value for name, value in embedder.state_dict().items()}, recipe


def _learned(folder: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    content = load_checkpoint(folder / "checkpoints")
    if content is None:
        raise ValueError(f"{folder} holds no training to start from")
    return content["parts"], ModelRecipe(**content["recipe"]["model"])
