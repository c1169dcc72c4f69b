"""CLIP's ViT image encoder against open_clip's."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.clip_transformer import ClipViT, ResidualBlock, SelfAttention
from reid_model.networks.clip_weights import fill_image_encoder
from reid_model.networks.positional import resize_positional
from reid_toys import assert_close

pytestmark = pytest.mark.usefixtures("seed")


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """open_clip's ViT-B/16 tower with QuickGELU, random, for 224 x 224."""
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(1)
    with torch.device("meta"):
        config = open_clip.get_model_config("ViT-B-16-quickgelu")
        model = open_clip.CLIP(**config)
    tower = model.visual.to_empty(device="cpu").eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.05)
    return tower


def ours_from(theirs: nn.Module, **options: object) -> ClipViT:
    with torch.device("meta"):
        encoder = ClipViT(**options)  # type: ignore[arg-type]
    ours = encoder.to_empty(device="cpu").eval()
    fill_image_encoder(ours, {f"visual.{k}": v for k, v in theirs.state_dict().items()})
    return ours


def class_tokens(theirs: nn.Module, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Theirs after the block before the last, and after the last one normalised."""
    seen: list[Tensor] = []
    blocks = theirs.transformer.resblocks
    hooks = [block.register_forward_hook(lambda _, __, y: seen.append(y)) for block in blocks[-2:]]
    projected = theirs(pictures)
    for hook in hooks:
        hook.remove()
    before, after = (y[:, 0] for y in seen)
    image = theirs.ln_post(after)
    torch.testing.assert_close(image @ theirs.proj, projected)
    return before, image


@torch.inference_mode()
def test_against_open_clip_with_unchanged_positions(theirs: nn.Module) -> None:
    pictures = torch.randn(1, 3, 224, 224)
    last, image, projected = ours_from(theirs, image_size=(224, 224))(pictures)
    expected_last, expected_image = class_tokens(theirs, pictures)
    assert_close(last, expected_last)
    assert_close(image, expected_image)
    assert_close(projected, theirs(pictures))


@pytest.mark.parametrize(("stride", "grid"), [(16, (16, 8)), (12, (21, 10))])
@torch.inference_mode()
def test_against_open_clip_with_resized_positions(
    theirs: nn.Module, monkeypatch: pytest.MonkeyPatch, stride: int, grid: tuple[int, int]
) -> None:
    pictures = torch.randn(1, 3, 256, 128)
    ours = ours_from(theirs, stride=stride)
    assert ours.grid == grid
    positions = resize_positional(theirs.positional_embedding, grid)
    monkeypatch.setitem(theirs._parameters, "positional_embedding", nn.Parameter(positions))
    monkeypatch.setattr(theirs.conv1, "stride", (stride, stride))
    last, image, projected = ours(pictures)
    assert [y.shape[1] for y in (last, image, projected)] == [768, 768, 512]
    expected_last, expected_image = class_tokens(theirs, pictures)
    assert_close(last, expected_last)
    assert_close(image, expected_image)
    assert_close(projected, theirs(pictures))


def small(**options: object) -> ClipViT:
    defaults: dict[str, object] = {
        **{"width": 32, "layers": 3, "heads": 4, "patch": 8, "stride": 8},
        **{"output_dim": 12, "image_size": (32, 16)},
    }
    return ClipViT(**(defaults | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("causal", [False, True])
def test_attention_against_pytorch(causal: bool) -> None:
    ours = SelfAttention(24, 3)
    nn.init.normal_(ours.in_proj_weight, std=0.3)
    nn.init.normal_(ours.in_proj_bias)
    theirs = nn.MultiheadAttention(24, 3, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 7, 24)
    mask = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    expected, _ = theirs(x, x, x, attn_mask=mask, need_weights=False)
    torch.testing.assert_close(ours(x, causal), expected, rtol=0, atol=1e-5)


def test_block_against_plain_formulas() -> None:
    block = ResidualBlock(8, 2)
    nn.init.normal_(block.attn.in_proj_weight)
    x = torch.randn(2, 3, 8)
    y = x + block.attn(F.layer_norm(x, (8,)), False)
    hidden = F.linear(F.layer_norm(y, (8,)), block.mlp.c_fc.weight, block.mlp.c_fc.bias)
    hidden = hidden / (1 + (-1.702 * hidden).exp())
    expected = y + F.linear(hidden, block.mlp.c_proj.weight, block.mlp.c_proj.bias)
    torch.testing.assert_close(block(x), expected)


def test_the_camera_moves_the_class_token() -> None:
    encoder = small(cameras=3, sie_coefficient=2.0).eval()
    x = torch.randn(1, 3, 32, 16)
    index = torch.tensor([2])
    with_camera = encoder(x, index)
    without = encoder(x)
    assert not torch.allclose(with_camera[0], without[0])
    with torch.no_grad():
        encoder.class_embedding += 2.0 * encoder.camera_embedding[2]
    for moved, expected in zip(encoder(x), with_camera, strict=True):
        torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-5)


def test_each_picture_has_its_own_camera() -> None:
    encoder = small(cameras=2).eval()
    x = torch.randn(1, 3, 32, 16).expand(2, -1, -1, -1)
    both = encoder(x, torch.tensor([1, 0]))[2]
    torch.testing.assert_close(both[:1], encoder(x[:1], torch.tensor([1]))[2])
    torch.testing.assert_close(both[1:], encoder(x[1:], torch.tensor([0]))[2])
    assert not torch.allclose(both[0], both[1])


@pytest.mark.parametrize("index", [[2], [-1], [0, 1], [[0]]])
def test_unknown_cameras_are_refused(index: list[int]) -> None:
    with pytest.raises(ValueError, match="camera_index must be"):
        small(cameras=2)(torch.randn(1, 3, 32, 16), torch.tensor(index))


def test_cameras_without_camera_embedding_are_refused() -> None:
    with pytest.raises(ValueError, match="built without cameras"):
        small()(torch.randn(1, 3, 32, 16), torch.tensor([0]))


def test_parameter_count() -> None:
    with torch.device("meta"):
        plain, with_cameras = ClipViT(), ClipViT(cameras=6)
    count = sum(p.numel() for p in plain.parameters())
    # Patches, class token, positions, two norms, projection; then the blocks.
    assert count == (
        768 * (3 * 16 * 16 + 1 + 129 + 2 * 2 + 512) + 12 * (12 * 768**2 + (4 + 9) * 768)
    )
    assert sum(p.numel() for p in with_cameras.parameters()) == count + 6 * 768


def test_every_parameter_has_a_gradient() -> None:
    encoder = small(cameras=2)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    outputs = encoder(torch.randn(2, 3, 32, 16), torch.tensor([0, 1]))
    torch.stack([y.square().mean() for y in outputs]).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    encoder = small(cameras=2)
    x, index = torch.randn(2, 3, 32, 16), torch.tensor([0, 1])
    with torch.autocast("cpu", dtype=dtype):
        projected = encoder(x, index)[2]
    assert projected.dtype == dtype
    torch.testing.assert_close(projected.float(), encoder(x, index)[2], rtol=0.05, atol=0.05)
    projected.float().sum().backward()


def test_no_pictures() -> None:
    encoder = small(cameras=2)
    outputs = encoder(torch.zeros(0, 3, 32, 16), torch.zeros(0, dtype=torch.long))
    assert [tuple(y.shape) for y in outputs] == [(0, 32), (0, 32), (0, 12)]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pictures must be \(B, 3, 32, 16\)"):
        small()(torch.zeros(1, 3, 16, 32))
    with pytest.raises(ValueError, match="width 32 does not split into 5 heads"):
        small(heads=5)
    with pytest.raises(ValueError, match="layers must be at least 2"):
        small(layers=1)
