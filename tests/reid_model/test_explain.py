"""Heat maps of networks with known evidence."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_model.explain import Stage, heat_maps
from reid_model.networks.fused import FusedEmbedder
from reid_model.preprocess import EmbedderSpec, normalise, resize_crops
from reid_model.trained_embedder import trained_spec
from reid_toys import toy_embedder, toy_model, toy_pictures

SPEC = EmbedderSpec(64, 32, "bgr", 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class ColourNet(nn.Module):
    """Its last map is the blue and the red of 8 x 8 pixels, its vector their means."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv2d(3, 2, 8, stride=8, bias=False)
        weight = torch.zeros(2, 3, 8, 8)
        weight[0, 0] = weight[1, 2] = 1 / 64
        conv.weight.data = weight
        self.trunk = nn.Module()
        self.trunk.mscsa = nn.ModuleList()
        self.trunk.encoder = nn.Module()
        self.trunk.encoder.layer4 = conv

    def raw(self, x: Tensor) -> Tensor:
        vectors: Tensor = self.trunk.encoder.layer4(x).mean(dim=(2, 3))
        return vectors

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.raw(x), dim=1)


def patches() -> np.ndarray:
    """Blue at rows 8 to 16, columns 0 to 8, and a larger red one at 40 to 56 and 16 to 32."""
    picture = np.zeros((64, 32, 3), np.uint8)
    picture[8:16, 0:8, 0] = 255
    picture[40:56, 16:32, 2] = 255
    return picture


def peak(heat: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return int(row), int(column)


def test_the_peak_is_where_the_evidence_is() -> None:
    network = ColourNet()
    heat = heat_maps(network, SPEC, patches()[None])  # type: ignore[arg-type]
    assert (heat.shape, heat.dtype) == ((1, 64, 32), np.float32)
    row, column = peak(heat[0])
    assert (40 <= row < 56, 16 <= column < 32) == (True, True)
    assert (heat.min(), heat.max()) == (0, 1)
    # Blue is a smaller part of the vector, and the black corner is none.
    assert 0 < heat[0, 12, 4] < 0.5
    assert heat[0, 0, 31] == 0


def test_a_reference_has_its_own_evidence() -> None:
    blue = np.zeros((64, 32, 3), np.uint8)
    blue[..., 0] = 200
    heat = heat_maps(ColourNet(), SPEC, patches()[None], blue)[0]  # type: ignore[arg-type]
    row, column = peak(heat)
    assert (8 <= row < 16, column < 8) == (True, True)
    # Red is evidence against it.
    assert heat[48, 24] == 0


def test_without_evidence_a_map_is_zero() -> None:
    black = np.zeros((1, 64, 32, 3), np.uint8)
    assert heat_maps(ColourNet(), SPEC, black).max() == 0  # type: ignore[arg-type]


def nudged(network: FusedEmbedder, pixels: Tensor, part: nn.Module, channels: int) -> Tensor:
    """The gradient of the vector's norm in each channel of the part's map, by finite differences.

    One picture for each channel, all the same, each with another channel changed.
    """
    lengths = []
    for step in (1e-3, -1e-3):
        steps = step * torch.eye(channels).double()[:, :, None, None]

        def add(module: nn.Module, inputs: object, output: Tensor, by: Tensor = steps) -> Tensor:
            return output + by

        with part.register_forward_hook(add), torch.no_grad():
            lengths.append(network.raw(pixels.expand(channels, -1, -1, -1)).norm(dim=1))
    return (lengths[0] - lengths[1]) / 2e-3


@pytest.mark.parametrize(("stage", "modules"), [(4, 2), (3, 2), (3, 3), (4, 4)])
def test_against_finite_differences(stage: Stage, modules: int) -> None:
    recipe = toy_model(mscsa_modules=modules)
    network, spec = toy_embedder(recipe).double(), trained_spec(recipe)
    trunk = network.trunk
    part = trunk.mscsa[stage - 1] if stage <= modules else getattr(trunk.encoder, f"layer{stage}")
    picture = resize_crops(toy_pictures()[:1], spec.height, spec.width)
    pixels = torch.from_numpy(normalise(picture, spec)).double()
    kept: list[Tensor] = []
    with part.register_forward_hook(lambda m, i, output: kept.append(output)), torch.no_grad():
        network.raw(pixels)
    weights = nudged(network, pixels, part, kept[0].shape[1])
    expected = torch.relu(torch.einsum("c,chw->hw", weights, kept[0][0]))
    expected = nn.functional.interpolate(expected[None, None], (64, 32), mode="bilinear")[0, 0]
    found = heat_maps(network.float(), spec, picture, stage=stage)[0]
    np.testing.assert_allclose(found, expected / expected.max(), atol=0.02)


def test_pictures_do_not_affect_each_other() -> None:
    recipe = toy_model()
    network, spec = toy_embedder(recipe), trained_spec(recipe)
    pictures = resize_crops(toy_pictures()[:4], spec.height, spec.width)
    together = heat_maps(network, spec, pictures[:3], pictures[3])
    for heat, picture in zip(together, pictures, strict=False):
        alone = heat_maps(network, spec, picture[None], pictures[3])[0]
        np.testing.assert_allclose(heat, alone, atol=1e-3)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_map_of_the_reference_itself_is_zero() -> None:
    recipe = toy_model()
    network, spec = toy_embedder(recipe), trained_spec(recipe)
    pictures = resize_crops(toy_pictures()[:2], spec.height, spec.width)
    itself, other = heat_maps(network, spec, pictures, pictures[0])
    assert (itself.max(), other.max()) == (0, 1)
