"""The omni-scale network: its parts, and that Open Model Zoo's weights give the same vectors."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_model.data.transforms import IMAGENET
from reid_model.networks.fused import FusedModel
from reid_model.networks.omni_scale import (
    ContextGate,
    LightConv,
    OmniScale,
    OmniScaleBlock,
    SqueezeGate,
)
from reid_model.openvino_runtime import core, read_network
from reid_model.preprocess import EmbedderSpec, normalise
from reid_model.trained_embedder import sample_pictures
from scripts.omni_scale_ir import read_omni_scale

#: What each file needs of the width, and its parameters.
OPEN = {
    "person-reidentification-retail-0277": (64, 2_089_337),
    "person-reidentification-retail-0286": (48, 1_226_204),
}
SPEC = EmbedderSpec(256, 128, "rgb", 1 / 255, IMAGENET.mean, IMAGENET.std)


def network(image_size: tuple[int, int] = (64, 32)) -> OmniScale:
    torch.manual_seed(4)
    return OmniScale(16, 12, image_size).eval()


def maps(channels: int = 64) -> Tensor:
    return torch.randn(2, channels, 8, 4, generator=torch.Generator().manual_seed(5))


def weights_folder() -> Path:
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        pytest.skip("FUSETRACK_DATA is not set, so the open weights are not here")
    return Path(data) / "weights"


@pytest.mark.parametrize("name", OPEN)
def test_open_weights_give_the_vectors_of_openvino(name: str) -> None:
    path = weights_folder() / f"{name}.FP16.xml"
    width, parameters = OPEN[name]
    ours = read_omni_scale(path, width)
    assert sum(parameter.numel() for parameter in ours.parameters()) == parameters
    pictures = sample_pictures(4, 256, 128)
    compiled = core().compile_model(read_network(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    theirs = [
        compiled(picture.transpose(2, 0, 1)[None].astype(np.float32))[0][0] for picture in pictures
    ]
    with torch.inference_mode():
        found = ours(torch.from_numpy(normalise(pictures, SPEC))).numpy()
    np.testing.assert_allclose(found, np.stack(theirs), atol=5e-5)
    assert np.abs(found).mean() > 0.1


def test_the_open_network_is_the_fused_models_first_step() -> None:
    """New modules are identities, so a model that has learned nothing gives the open vectors."""
    ours = read_omni_scale(weights_folder() / f"{next(iter(OPEN))}.FP16.xml", 64)
    pixels = torch.from_numpy(normalise(sample_pictures(2, 256, 128), SPEC))
    with torch.inference_mode():
        open_vectors = ours(pixels)
        model = FusedModel(ours, 5, mscsa_modules=3, embedding="projected").eval()
        found = model.embed(pixels)
    expected = open_vectors / open_vectors.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_the_wrong_width_is_refused() -> None:
    path = weights_folder() / f"{next(iter(OPEN))}.FP16.xml"
    with pytest.raises(ValueError, match="expected weights of shape"):
        read_omni_scale(path, 48)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.xml"
    with pytest.raises(ValueError, match="no network of OpenVINO"):
        read_omni_scale(path, 64)
    path.write_text("<net><layers/><edges/></net>")
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(ValueError, match="expected Subtract, found nothing"):
        read_omni_scale(path, 64)


def test_shapes() -> None:
    net = network()
    x0 = net.stem(torch.randn(2, 3, 64, 32))
    x1 = net.layer1(x0)
    x2 = net.layer2(x1)
    x3 = net.layer3(x2)
    x4 = net.layer4(x3)
    assert [tuple(x.shape) for x in (x0, x1, x2, x3, x4)] == [
        (2, 16, 16, 8),
        (2, 64, 8, 4),
        (2, 96, 4, 2),
        (2, 128, 4, 2),
        (2, 128, 4, 2),
    ]
    assert [x.shape[1] for x in (x0, x1, x2, x3, x4)] == list(net.channels)
    heights = [x.shape[2] for x in (x0, x1, x2, x3, x4)]
    assert [a // b for a, b in pairwise(heights)] == list(net.strides)
    pooled, vectors = net.finish(x4)
    assert (pooled.shape, vectors.shape) == ((2, 128), (2, 12))


def test_forward_is_its_parts_in_a_row() -> None:
    net, pictures = network(), torch.randn(2, 3, 64, 32)
    y = net.layer4(net.layer3(net.layer2(net.layer1(net.stem(pictures)))))
    torch.testing.assert_close(net(pictures), net.finish(y)[1])


def test_a_pictures_own_light_changes_nothing() -> None:
    net, pictures = network(), torch.randn(2, 3, 64, 32)
    brighter = pictures * torch.tensor([1.5, 0.7, 1.0])[:, None, None] + 0.4
    torch.testing.assert_close(net(brighter), net(pictures), rtol=1e-3, atol=1e-4)


def test_streams_see_ever_farther() -> None:
    """A change at one place reaches as far as a stream has light convolutions."""
    block = OmniScaleBlock(8, 8 * 16, SqueezeGate).eval()
    for depth, stream in enumerate(block.streams, start=1):
        place = torch.zeros(1, 32, 11, 11, requires_grad=True)
        stream(place + 0.1)[0, :, 5, 5].sum().backward()
        rows = place.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        assert rows.min() >= 5 - depth
        assert rows.max() <= 5 + depth
        assert len(stream) == depth


def test_a_block_is_its_streams_weighed_by_one_gate() -> None:
    block = OmniScaleBlock(64, 64, ContextGate).eval()
    x = maps()
    reduced = block.reduce(x)
    weighed = sum(block.gate(stream(reduced)) * stream(reduced) for stream in block.streams)
    torch.testing.assert_close(block(x), torch.relu(block.expand(weighed) + x))
    assert isinstance(OmniScaleBlock(32, 64, ContextGate).shortcut, nn.Conv2d)


@pytest.mark.parametrize("gate", [SqueezeGate, ContextGate])
def test_gates_say_a_share_for_each_channel(gate: type[nn.Sequential]) -> None:
    shares = gate(64)(maps())
    assert shares.shape == (2, 64, 1, 1)
    assert 0 < shares.min() < shares.max() < 1


def test_a_light_convolution_keeps_channels_apart_in_its_second_step() -> None:
    conv = LightConv(8)
    assert sum(p.numel() for p in conv.parameters()) == 8 * 8 + 8 * 9 + 8


def test_every_parameter_learns() -> None:
    net = network().train()
    for gate in (part for part in net.modules() if isinstance(part, SqueezeGate)):
        nn.init.constant_(gate[1].bias, 1.0)  # or a narrow gate's ReLU may be shut for all
    net(torch.randn(3, 3, 64, 32)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_what_cannot_be_built_is_refused() -> None:
    for width in (12, 18):
        with pytest.raises(ValueError, match="multiple of 4"):
            OmniScale(width)
    for size in ((250, 128), (0, 16)):
        with pytest.raises(ValueError, match="multiples of 16"):
            OmniScale(16, image_size=size)
    with pytest.raises(ValueError, match="pictures must be"):
        network()(torch.zeros(1, 3, 32, 32))
