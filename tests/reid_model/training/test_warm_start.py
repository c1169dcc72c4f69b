"""An encoder that starts from a wider one's weights."""

import pytest
import torch

from builders_keras import keras_weights
from reid_model.networks.clip_resnet import ClipResNet
from reid_model.training.keras_resnet import stages
from reid_model.training.warm_start import narrowed, strongest_stem_channels, warm_start

LAYERS = (3, 4, 6, 3)


def encoder(width: int) -> ClipResNet:
    torch.manual_seed(5)
    return ClipResNet(width, LAYERS, output_dim=8, image_size=(32, 16))


def pictures(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    small = [torch.randn(8, 3, 8, 4, generator=generator) for _ in range(count)]
    return [torch.nn.functional.interpolate(picture, scale_factor=4) for picture in small]


def test_the_same_width_keeps_all_channels() -> None:
    wide = stages(keras_weights(4))
    same = narrowed(wide, torch.arange(4), 4, LAYERS)
    assert same.keys() == wide.keys()
    assert all(torch.equal(same[name], wide[name]) for name in wide)


def test_the_strongest_channels_are_kept_and_fit_each_other() -> None:
    wide = stages(keras_weights(4))
    # In this block, planes 1 and 3 have the largest scales.
    wide["layer1.1.bn1.weight"] = torch.tensor([0.1, 9.0, 0.1, 9.0])
    stem = torch.tensor([0, 2])
    small = narrowed(wide, stem, 2, LAYERS)
    encoder(2).load_state_dict(small, strict=False)
    assert torch.equal(small["layer1.1.bn1.weight"], torch.tensor([9.0, 9.0]))
    assert torch.equal(
        small["layer1.1.bn1.running_mean"], wide["layer1.1.bn1.running_mean"][[1, 3]]
    )
    # The inputs of block 0 are the stem's channels that are kept.
    planes = [
        int((wide["layer1.0.bn1.running_mean"] == value).nonzero())
        for value in small["layer1.0.bn1.running_mean"]
    ]
    expected = wide["layer1.0.conv1.weight"][planes][:, stem]
    assert torch.equal(small["layer1.0.conv1.weight"], expected)


def test_fewer_blocks_are_the_first_ones() -> None:
    small = narrowed(stages(keras_weights(4)), torch.arange(4), 4, (1, 1, 1, 1))
    blocks = {name.removesuffix(".conv1.weight") for name in small if ".conv1." in name}
    assert blocks == {f"layer{n}.0" for n in (1, 2, 3, 4)}


def test_stem_channels_are_ranked_by_scale_and_weights() -> None:
    wide = stages(keras_weights(4))
    for name in ("layer1.0.conv1.weight", "layer1.0.downsample.0.weight"):
        wide[name] = torch.ones_like(wide[name])
        wide[name][:, 1] = 5.0
    scales = torch.tensor([1.0, 1.0, 3.0, 0.5])
    assert strongest_stem_channels(wide, scales, 2).tolist() == [1, 2]


def test_the_stem_is_trained_and_the_stages_are_filled() -> None:
    weights = keras_weights(4)
    new = encoder(2)
    pool = new.attnpool.positional_embedding.clone()
    early = warm_start(encoder(2), weights, pictures(2))
    late = warm_start(new, weights, pictures(60))
    assert late < 0.8 * early
    means = stages(weights)["layer2.0.bn1.running_mean"]
    assert set(new.layer2[0].bn1.running_mean.tolist()) <= set(means.tolist())
    assert torch.equal(new.attnpool.positional_embedding, pool)


def test_what_cannot_start_is_refused() -> None:
    with pytest.raises(ValueError, match="needs pictures"):
        warm_start(encoder(2), keras_weights(4), [])
    with pytest.raises(ValueError, match="8 channels cannot be chosen of 4: lower the width"):
        warm_start(encoder(8), keras_weights(4), pictures(1))
