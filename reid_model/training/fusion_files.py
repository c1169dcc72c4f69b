"""Files of FusionSegReID: all weights, what built the model, and its calibrations."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from reid_model.networks.fusion import FusionModel, FusionOptions
from reid_model.similarity import SimilarityFit
from reid_model.training.build import build_encoder, new_model
from reid_model.training.model_files import read_weights_file, write_weights
from reid_model.training.recipe import ModelRecipe
from reid_model.weights_header import FUSION_FORMAT


@dataclass(frozen=True, slots=True)
class WordsFit:
    """What a model knows of words: whether a picture fits them has the probability
    ``1 / (1 + exp(-slope * (cosine - midpoint)))``; ``known`` are the words it has learned from,
    in small letters.
    """

    slope: float
    midpoint: float
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FusionFile:
    """A model in eval mode, the ``recipe`` of its fused model, and its calibrations if fitted."""

    model: FusionModel
    recipe: ModelRecipe
    words: WordsFit | None
    similarity: SimilarityFit | None


def save_fusion(path: Path, file: FusionFile, dtype: torch.dtype = torch.float16) -> None:
    """Write all of ``file``; `load_fusion` converts the weights back to float32."""
    state = {
        name: value.cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in file.model.state_dict().items()
    }
    header = {
        "model": asdict(file.recipe),
        "fusion": asdict(file.model.options),
        "words": None if file.words is None else asdict(file.words),
        "similarity": None if file.similarity is None else asdict(file.similarity),
    }
    write_weights(path, state, FUSION_FORMAT, header)


def load_fusion(path: Path) -> FusionFile:
    """A file of `save_fusion`. Raises ValueError when it is missing, damaged or another file."""
    header, state = read_weights_file(path, FUSION_FORMAT, "model of FusionSegReID")
    recipe = ModelRecipe(**_with_tuples(header["model"]))
    fused = new_model(recipe, 1, build_encoder(recipe)).deploy()
    try:
        model = FusionModel(fused, FusionOptions(**header["fusion"]))
        model.load_state_dict(state)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{path} has weights that do not fit the model in its header") from error
    words, similarity = header["words"], header["similarity"]
    return FusionFile(
        model.eval(),
        recipe,
        None if words is None else WordsFit(**_with_tuples(words)),
        None if similarity is None else SimilarityFit(**similarity),
    )


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for key, value in values.items()
    }
