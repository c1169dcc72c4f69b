"""Keras' ResNet-50 as TensorFlow.js files, as narrow as wished, with random numbers."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}


def keras_weights(width: int, seed: int = 0) -> dict[str, Tensor]:
    """Arrays by Keras' names; 64 is the real ``width``."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}

    def convolution(kernel: str, norm: str, side: int, inputs: int, outputs: int) -> None:
        shape = (side, side, inputs, outputs)
        weights[f"{kernel}/kernel"] = 0.3 * torch.randn(shape, generator=generator)
        for name in (f"{kernel}/bias", f"{norm}/beta", f"{norm}/moving_mean"):
            weights[name] = 0.1 * torch.randn(outputs, generator=generator)
        for name in (f"{norm}/gamma", f"{norm}/moving_variance"):
            weights[name] = 0.5 + torch.rand(outputs, generator=generator)

    convolution("conv1", "bn_conv1", 7, 3, width)
    inputs = width
    for stage, blocks in _BLOCKS.items():
        planes = width << (stage - 2)
        for block in range(blocks):
            name = f"{stage}{chr(ord('a') + block)}_branch"
            convolution(f"res{name}2a", f"bn{name}2a", 1, inputs, planes)
            convolution(f"res{name}2b", f"bn{name}2b", 3, planes, planes)
            convolution(f"res{name}2c", f"bn{name}2c", 1, planes, 4 * planes)
            if block == 0:
                convolution(f"res{name}1", f"bn{name}1", 1, inputs, 4 * planes)
            inputs = 4 * planes
    return weights


def write_keras(folder: Path, weights: dict[str, Tensor], shards: int = 1) -> None:
    """``model.json`` and its shards."""
    listed = [
        {"name": name, "shape": list(value.shape), "dtype": "float32"}
        for name, value in weights.items()
    ]
    paths = [f"shard{number}.bin" for number in range(1, shards + 1)]
    manifest = {"weightsManifest": [{"paths": paths, "weights": listed}]}
    (folder / "model.json").write_text(json.dumps(manifest))
    numbers = np.concatenate([value.numpy().ravel() for value in weights.values()])
    for path, part in zip(paths, np.array_split(numbers, shards), strict=True):
        (folder / path).write_bytes(part.tobytes())
