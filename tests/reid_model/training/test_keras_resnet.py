"""Keras' ImageNet ResNet-50, on a narrow one with random weights."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builders_keras import keras_weights, write_keras
from reid_model.networks.clip_resnet import Bottleneck, ClipResNet
from reid_model.training.keras_resnet import first_map, read_weights, stages


def test_arrays_are_read_from_shards(tmp_path: Path) -> None:
    weights = keras_weights(4)
    write_keras(tmp_path, weights, shards=3)
    found = read_weights(tmp_path)
    assert list(found) == list(weights)
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_a_missing_or_short_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no Keras ResNet-50"):
        read_weights(tmp_path)
    write_keras(tmp_path, keras_weights(4), shards=2)
    shard = tmp_path / "shard2.bin"
    shard.write_bytes(shard.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"holds \d+ numbers, expected \d+"):
        read_weights(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": []}))
    with pytest.raises(ValueError, match="holds no Keras ResNet-50"):
        read_weights(tmp_path)


def test_all_stages_fit_the_encoder_of_the_same_width() -> None:
    state = stages(keras_weights(4))
    encoder = ClipResNet(width=4, output_dim=8, image_size=(32, 16))
    own = {name for name in encoder.state_dict() if name.startswith("layer")}
    assert set(state) == {name for name in own if not name.endswith("num_batches_tracked")}
    encoder.load_state_dict(state, strict=False)


def test_a_block_computes_the_same_as_in_keras() -> None:
    weights = keras_weights(4)
    block = Bottleneck(16, 4).eval()
    state = stages(weights)
    name = "layer1.1."
    block.load_state_dict(
        {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)},
        strict=False,
    )
    x = torch.rand(2, 16, 5, 3, generator=torch.Generator().manual_seed(2))
    y = F.relu(keras_convolution(weights, "2b_branch2a", x))
    y = F.relu(keras_convolution(weights, "2b_branch2b", y))
    y = F.relu(keras_convolution(weights, "2b_branch2c", y) + x)
    with torch.no_grad():
        assert torch.allclose(block(x), y, atol=1e-4)


def keras_convolution(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Convolution with bias, then normalisation with Keras' epsilon."""
    kernel = weights[f"res{name}/kernel"].permute(3, 2, 0, 1)
    x = F.conv2d(x, kernel, weights[f"res{name}/bias"], padding=kernel.shape[2] // 2)
    mean, variance = weights[f"bn{name}/moving_mean"], weights[f"bn{name}/moving_variance"]
    x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-3).sqrt()
    return x * weights[f"bn{name}/gamma"][:, None, None] + weights[f"bn{name}/beta"][:, None, None]


def test_the_first_map_is_computed_from_bgr_0_to_255() -> None:
    weights = keras_weights(4)
    kernel = torch.zeros(7, 7, 3, 4)
    kernel[3, 3, 0, 0] = kernel[3, 3, 1, 1] = kernel[3, 3, 2, 2] = 1.0
    weights["conv1/kernel"] = kernel
    for name, value in (("gamma", 1), ("beta", 0), ("moving_mean", 0), ("moving_variance", 1)):
        weights[f"bn_conv1/{name}"] = torch.full((4,), float(value))
    weights["conv1/bias"] = torch.zeros(4)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    rgb = torch.tensor([200.0, 150.0, 250.0])
    picture = ((rgb / 255 - mean) / std)[None, :, None, None].expand(1, 3, 16, 8)
    found = first_map(weights, picture)
    assert found.shape == (1, 4, 4, 2)
    expected = torch.tensor([250 - 103.939, 150 - 116.779, 200 - 123.68, 0.0]) / (1 + 1e-3) ** 0.5
    assert torch.allclose(found[0, :, 1, 1], expected, atol=1e-3)
