"""Networks of PyTorch as embedders, in float32 and in float16."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

import reid_model
from reid_model.embedder import EmbedderSpec
from reid_model.networks.fused import FusedEmbedder
from reid_model.preprocess import normalise, resize_crops
from reid_model.torch_embedder import torch_embedder
from reid_model.trained_embedder import (
    min_cosine,
    sample_pictures,
    torch_vectors,
    trained_spec,
)
from reid_model.training.model_files import load_model
from reid_toys import toy_pictures

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TINY = EmbedderSpec(2, 2, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SHIPPED = Path(reid_model.__file__).parent / "weights" / "omni-scale-people.safetensors"

on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch finds no CUDA device on this machine"
)


class Scaled(torch.nn.Module):
    """The mean of each colour times a factor: a linear layer, which computes in float16."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3, bias=False)
        torch.nn.init.constant_(self.layer.weight, factor)
        self.kinds: list[torch.dtype] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found = self.layer(pixels.mean(dim=(2, 3)))
        self.kinds.append(found.dtype)
        return found


class Seen(torch.nn.Module):
    """Keeps what it is given."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.pixels = pixels.clone()
        return pixels.flatten(1)


def shipped() -> tuple[FusedEmbedder, EmbedderSpec, np.ndarray]:
    """A network that comes with fusetrack, its input, and four pictures for it."""
    network, recipe = load_model(SHIPPED)
    spec = trained_spec(recipe)
    return network, spec, sample_pictures(4, spec.height, spec.width)


def grey(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, np.uint8)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_a_network_is_given_normalised_pictures_with_channels_last(colour: str) -> None:
    spec = EmbedderSpec(8, 4, colour, 1 / 255, MEAN, STD)  # type: ignore[arg-type]
    crops, network = toy_pictures()[:3], Seen()
    torch_embedder(network, spec, "cpu", batch=4).embed(crops)
    expected = normalise(resize_crops(crops, 8, 4), spec)
    assert np.array_equal(network.pixels.numpy(), expected)
    assert network.pixels.is_contiguous(memory_format=torch.channels_last)


def test_in_float32_it_gives_what_the_network_gives() -> None:
    network, spec, pictures = shipped()
    expected = torch_vectors(network, spec, pictures)
    found = torch_embedder(network, spec, "cpu", batch=2).embed(list(pictures))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=on_cuda)])
def test_float16_agrees_with_float32(device: str, caplog: pytest.LogCaptureFixture) -> None:
    network, spec, pictures = shipped()
    expected = torch_vectors(network, spec, pictures)
    found = torch_embedder(network, spec, device, batch=2, half=True).embed(list(pictures))
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    assert min_cosine(found, expected) >= 0.999
    # It is another computation, and tells pictures apart, or the comparison would prove nothing.
    assert not np.allclose(found, expected, atol=1e-5)
    assert np.median(expected @ expected.T) < 0.9
    assert caplog.records == []


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=on_cuda)])
def test_a_result_beyond_float16_is_computed_again_in_float32(
    device: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = Scaled(200.0)
    embedder = torch_embedder(network, TINY, device, batch=1, half=True)
    with caplog.at_level(logging.WARNING):
        outputs = embedder.outputs([grey(100), grey(200), grey(200), grey(200)])
        embedder.outputs([grey(100)])
    np.testing.assert_allclose(outputs[:, 0], [60000, 120000, 120000, 120000], rtol=1e-3)
    assert network.kinds[1] == torch.float16
    assert network.kinds[-1] == torch.float32
    assert [one.getMessage() for one in caplog.records] == [
        "the network's vectors are not finite in float16, using float32"
    ]


def test_a_result_that_is_nan_in_float32_too_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        torch_embedder(Scaled(float("nan")), TINY, "cpu", batch=1, half=True)


@pytest.mark.parametrize(
    "said", ["CUDA out of memory. Tried to", "DefaultCPUAllocator: can't allocate memory"]
)
def test_a_network_that_runs_out_of_memory_gets_smaller_batches(said: str) -> None:
    class Greedy(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if len(pixels) > 2:
                raise RuntimeError(said)
            return pixels.mean(dim=(2, 3))

    embedder = torch_embedder(Greedy(), TINY, "cpu", batch=8)
    crops = [grey(value) for value in range(5)]
    assert embedder.embed(crops).shape == (5, 3)
    assert embedder.batch == 2
