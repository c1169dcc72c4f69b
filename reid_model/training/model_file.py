"""The trained embedder as a file: safetensors that say how to build the network they fit."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from reid_model.networks.fused import FusedEmbedder
from reid_model.similarity import SimilarityFit, SimilarityLine
from reid_model.training.parts import build_encoder, new_model
from reid_model.training.recipe import ModelRecipe
from reid_model.training.weights_file import read_weights_file, write_weights

_FORMAT = "fusetrack-reid-1"


def save_model(
    path: Path,
    embedder: FusedEmbedder,
    recipe: ModelRecipe,
    similarity: SimilarityFit | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write what turns crops into vectors, and what the cosines of those are worth, if known.

    Half of float32's size is ``torch.float16``; `load_model` makes float32 of it again.
    """
    state = {
        name: value.cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in embedder.state_dict().items()
    }
    known = None if similarity is None else asdict(similarity)
    write_weights(path, state, _FORMAT, {"model": asdict(recipe), "similarity": known})


def load_model(path: Path) -> tuple[FusedEmbedder, ModelRecipe]:
    """The embedder in eval mode, and how it was built.

    Raises ValueError when the file is missing, damaged, not one of `save_model`, or one of a newer
    fusetrack that knows more ways to build a model.
    """
    header, state = _read(path)
    recipe = _recipe(path, header["model"])
    embedder = new_model(recipe, 1, build_encoder(recipe)).deploy()
    try:
        embedder.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of the model it names") from error
    return embedder.eval(), recipe


def load_similarity(path: Path) -> SimilarityFit | None:
    """What the cosines of a model's vectors are worth; None where it was not fitted.

    Raises ValueError as `load_model`.
    """
    found = _read(path)[0]["similarity"]
    if found is None:
        return None
    lines = {
        name: None if found[name] is None else SimilarityLine(**found[name])
        for name in ("same_camera", "other_cameras")
    }
    return SimilarityFit(**lines, strangers=found["strangers"])


def _read(path: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    return read_weights_file(path, _FORMAT, "model of `fusetrack reid train`")


def _recipe(path: Path, values: dict[str, Any]) -> ModelRecipe:
    unknown = sorted(values.keys() - {part.name for part in fields(ModelRecipe)})
    if unknown:
        raise ValueError(
            f"{path} was written by a newer fusetrack: {', '.join(unknown)} is not known to this "
            "one. Update fusetrack, or take another model"
        )
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return ModelRecipe(**{**values, **lists})
