"""Model files and JSON files, all written atomically."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reid_model.atomic_file import replacing
from reid_model.networks.fused import FusedEmbedder
from reid_model.similarity import SimilarityFit
from reid_model.training.build import build_encoder, new_model
from reid_model.training.recipe import ModelRecipe
from reid_model.weights_header import MODEL_FORMAT, TRAINED, read_header


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write JSON lines, one per row."""
    _write(path, "".join(json.dumps(row) + "\n" for row in rows))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write one indented JSON object."""
    _write(path, json.dumps(values, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_weights(path: Path, state: dict[str, Tensor], format: str, header: Any) -> None:
    """Write ``state`` and a ``header`` that JSON can hold, under the key ``format``."""
    with replacing(path) as partial:
        # One key only: safetensors writes several in random order.
        save_file(state, partial, {format: json.dumps(header)})


def read_weights_file(path: Path, format: str, what: str) -> tuple[Any, dict[str, Tensor]]:
    """Header and state of a file of `write_weights`.

    Raises ValueError when the file is missing, damaged, or has another ``format``; the message
    calls it a ``what``.
    """
    header = read_header(path, format, what)
    try:
        with safe_open(path, framework="pt") as file:
            return header, {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or not a safetensors file") from error


def save_model(
    path: Path,
    embedder: FusedEmbedder,
    recipe: ModelRecipe,
    similarity: SimilarityFit | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the embedder, its recipe and, if known, its score calibration.

    A ``dtype`` of ``torch.float16`` halves the size; `load_model` converts it back to float32.
    """
    state = {
        name: value.cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in embedder.state_dict().items()
    }
    calibration = None if similarity is None else asdict(similarity)
    write_weights(path, state, MODEL_FORMAT, {"model": asdict(recipe), "similarity": calibration})


def load_model(path: Path) -> tuple[FusedEmbedder, ModelRecipe]:
    """The embedder in eval mode, and its recipe.

    Raises ValueError when the file is missing, damaged, not written by `save_model`, or written by
    a newer fusetrack with keys that are unknown here.
    """
    header, state = _read(path)
    recipe = _recipe(path, header["model"])
    embedder = new_model(recipe, 1, build_encoder(recipe)).deploy()
    try:
        embedder.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} has weights that do not fit the model in its header") from error
    return embedder.eval(), recipe


def save_similarity(path: Path, similarity: SimilarityFit) -> None:
    """Replace the score calibration in a file of `save_model`.

    Raises ValueError as `load_model`.
    """
    header, state = _read(path)
    write_weights(path, state, MODEL_FORMAT, {**header, "similarity": asdict(similarity)})


def _read(path: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    return read_weights_file(path, MODEL_FORMAT, TRAINED)


def _recipe(path: Path, values: dict[str, Any]) -> ModelRecipe:
    unknown = sorted(values.keys() - {part.name for part in fields(ModelRecipe)})
    if unknown:
        raise ValueError(
            f"{path} was written by a newer fusetrack, with the unknown keys {', '.join(unknown)}: "
            "update fusetrack, or use another model"
        )
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return ModelRecipe(**{**values, **lists})
