"""ImageNet's ResNet-50 as Keras stores it for TensorFlow.js, with the names of `ClipResNet`.

The residual stages are those of CLIP's ResNet except for the position of the strides, so their
weights can initialise one. The stems differ: `first_map` computes the output of this one, as the
target of another.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
_EPSILON = 1e-3
_TORCH_EPSILON = 1e-5
#: Caffe's preprocessing: BGR from 0 to 255, minus these means.
_MEAN_BGR = (103.939, 116.779, 123.68)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The arrays of ``model.json`` and its shards by their Keras names, in Keras' layout.

    Raises ValueError when a file is missing or the shards hold fewer numbers than are named.
    """
    try:
        manifest = json.loads((folder / "model.json").read_text())["weightsManifest"][0]
        data = b"".join((folder / shard).read_bytes() for shard in manifest["paths"])
        listed = [(entry["name"], tuple(entry["shape"])) for entry in manifest["weights"]]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{folder} holds no Keras ResNet-50 for TensorFlow.js: {error}") from error
    numbers = np.frombuffer(data, np.float32)
    sizes = [int(np.prod(shape)) for _, shape in listed]
    if len(numbers) != sum(sizes):
        raise ValueError(f"{folder} holds {len(numbers)} numbers, expected {sum(sizes)}")
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return {
        name: torch.from_numpy(part.reshape(shape).copy())
        for (name, shape), part in zip(listed, parts, strict=True)
    }


def stages(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of ``layer1`` to ``layer4`` of a `ClipResNet` of width 64."""
    state: dict[str, Tensor] = {}
    for stage, blocks in _BLOCKS.items():
        for block in range(blocks):
            ours, theirs = f"layer{stage - 1}.{block}", f"{stage}{chr(ord('a') + block)}_branch"
            pairs = [("2a", "conv1", "bn1"), ("2b", "conv2", "bn2"), ("2c", "conv3", "bn3")]
            if block == 0:
                pairs.append(("1", "downsample.0", "downsample.1"))
            for branch, convolution, norm in pairs:
                names = (f"{ours}.{convolution}", f"{ours}.{norm}")
                state |= _convolution(weights, theirs + branch, *names)
    return state


def first_map(weights: dict[str, Tensor], pictures: Tensor) -> Tensor:
    """The input of the first residual stage: normalised RGB ``(B, 3, H, W)`` to ``(B, 64, H / 4,
    W / 4)``.
    """
    kernel = weights["conv1/kernel"].permute(3, 2, 0, 1)
    rgb = pictures * torch.tensor(_STD)[:, None, None] + torch.tensor(_MEAN)[:, None, None]
    bgr = rgb.flip(1) * 255 - torch.tensor(_MEAN_BGR)[:, None, None]
    x = F.conv2d(F.pad(bgr, (3, 3, 3, 3)), kernel, weights["conv1/bias"], stride=2)
    x = F.batch_norm(
        x,
        weights["bn_conv1/moving_mean"],
        weights["bn_conv1/moving_variance"],
        weights["bn_conv1/gamma"],
        weights["bn_conv1/beta"],
        eps=_EPSILON,
    )
    return F.max_pool2d(F.relu(x), 3, stride=2, padding=1)


def _convolution(
    weights: dict[str, Tensor], theirs: str, convolution: str, norm: str
) -> dict[str, Tensor]:
    """A convolution and its normalisation; Keras' bias is folded into the mean, its epsilon into
    the variance.
    """
    return {
        f"{convolution}.weight": weights[f"res{theirs}/kernel"].permute(3, 2, 0, 1).contiguous(),
        f"{norm}.weight": weights[f"bn{theirs}/gamma"],
        f"{norm}.bias": weights[f"bn{theirs}/beta"],
        f"{norm}.running_mean": weights[f"bn{theirs}/moving_mean"] - weights[f"res{theirs}/bias"],
        f"{norm}.running_var": weights[f"bn{theirs}/moving_variance"] + (_EPSILON - _TORCH_EPSILON),
    }
