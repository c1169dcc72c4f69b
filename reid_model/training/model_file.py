"""The trained embedder as a file: safetensors that say how to build the network they fit."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from reid_model.data.transforms import IMAGENET
from reid_model.embedder import Embedder
from reid_model.fused import FusedEmbedder, FusedModel
from reid_model.preprocess import EmbedderSpec
from reid_model.training.parts import build_encoder, new_model
from reid_model.training.recipe import ModelRecipe

# The one key of the header: safetensors writes several of them in a random order.
_FORMAT = "fusetrack-reid-1"


def save_model(path: Path, model: FusedModel, recipe: ModelRecipe) -> None:
    """Write what turns crops into vectors, without classifiers, in float32."""
    state = {name: value.cpu().contiguous() for name, value in model.deploy().state_dict().items()}
    metadata = {_FORMAT: json.dumps(asdict(recipe))}
    unfinished = path.with_name(path.name + ".unfinished")
    save_file(state, unfinished, metadata)
    unfinished.replace(path)


def load_model(path: Path) -> tuple[FusedEmbedder, ModelRecipe]:
    """The embedder in eval mode, and how it was built.

    Raises ValueError when the file is missing, damaged, or not one of `save_model`.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file") from error
    if _FORMAT not in metadata:
        raise ValueError(f"{path} is no model of `fusetrack reid train`")
    recipe = _recipe(metadata[_FORMAT])
    embedder = new_model(recipe, 1, build_encoder(recipe)).deploy()
    try:
        embedder.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of the model it names") from error
    return embedder.eval(), recipe


def open_trained(path: Path, device: str, batch: int = 32) -> Embedder:
    """The model of a file, ready for crops of any size, run by PyTorch. Raises as `load_model`."""
    network, recipe = load_model(path)
    network = network.to(device).to(memory_format=torch.channels_last)

    def forward(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: NDArray[np.float32] = (
                network(torch.from_numpy(pixels).to(device)).cpu().numpy()
            )
        return vectors

    height, width = recipe.image_size
    spec = EmbedderSpec("onnx", height, width, "rgb", 1 / 255, IMAGENET.mean, IMAGENET.std)
    return Embedder(forward, spec, device, batch)


def _recipe(text: str) -> ModelRecipe:
    values = json.loads(text)
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return ModelRecipe(**{**values, **lists})
