"""CLIP's ResNet image encoder against open_clip's and against the attention in PyTorch."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.clip_resnet import AttentionPool, ClipResNet
from reid_model.networks.clip_weights import fill_image_encoder
from reid_model.networks.positional import resize_positional
from reid_toys import assert_close


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def shaken(model: nn.Module) -> nn.Module:
    """The model in eval mode; batch norms that CLIP initialises to 0 have other weights."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
    return model.eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """open_clip's RN50 tower, random, for 224 x 224 and with its own stride in the last stage."""
    resnet = pytest.importorskip("open_clip.modified_resnet")
    torch.manual_seed(1)
    return shaken(resnet.ModifiedResNet([3, 4, 6, 3], 1024, 32, 224, 64))


@pytest.fixture
def finer(theirs: nn.Module) -> Iterator[nn.Module]:
    """Theirs with stride 1 in the last stage."""
    block = theirs.layer4[0]
    pools = block.avgpool, block.downsample[0]
    block.avgpool, block.downsample[0] = nn.Identity(), nn.Identity()
    yield theirs
    block.avgpool, block.downsample[0] = pools


def ours_from(theirs: nn.Module, image_size: tuple[int, int]) -> ClipResNet:
    with torch.device("meta"):
        encoder = ClipResNet(image_size=image_size)
    ours = encoder.to_empty(device="cpu").eval()
    fill_image_encoder(ours, {f"visual.{k}": v for k, v in theirs.state_dict().items()})
    return ours


@torch.inference_mode()
def test_third_stage_at_any_size(theirs: nn.Module) -> None:
    pictures = torch.randn(1, 3, 96, 48)
    x3, _, _ = ours_from(theirs, (96, 48))(pictures)
    expected = theirs.layer3(theirs.layer2(theirs.layer1(theirs.stem(pictures))))
    assert_close(x3, expected)


@torch.inference_mode()
def test_the_whole_tower_with_unchanged_positions(finer: nn.Module) -> None:
    pictures = torch.randn(2, 3, 112, 112)  # a grid of 7 x 7, theirs at 224 and stride 2
    x3, x4, tokens = ours_from(finer, (112, 112))(pictures)
    assert_close(x4, finer.layer4(x3))
    assert_close(tokens[:, 0], finer(pictures))


@torch.inference_mode()
def test_the_whole_tower_with_resized_positions(
    finer: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = torch.randn(1, 3, 256, 128)
    ours = ours_from(finer, (256, 128))
    positions = resize_positional(finer.attnpool.positional_embedding, (16, 8))
    monkeypatch.setitem(finer.attnpool._parameters, "positional_embedding", nn.Parameter(positions))
    _, x4, tokens = ours(pictures)
    assert tokens.shape == (1, 129, 1024)
    assert_close(tokens[:, 0], finer(pictures))
    assert_close(ours.attnpool.mean_token(x4), finer(pictures))


@torch.inference_mode()
def test_shapes_of_every_stage() -> None:
    encoder = ClipResNet(layers=(1, 1, 1, 1)).eval()
    x = torch.randn(2, 3, 256, 128)
    x0 = encoder.stem(x)
    x1 = encoder.layer1(x0)
    x2 = encoder.layer2(x1)
    x3 = encoder.layer3(x2)
    x4 = encoder.layer4(x3)
    tokens = encoder.attnpool(x4)
    assert [tuple(y.shape) for y in (x0, x1, x2, x3, x4, tokens)] == [
        (2, 64, 64, 32),
        (2, 256, 64, 32),
        (2, 512, 32, 16),
        (2, 1024, 16, 8),
        (2, 2048, 16, 8),
        (2, 129, 1024),
    ]
    for result, expected in zip(encoder(x), (x3, x4, tokens), strict=True):
        torch.testing.assert_close(result, expected)
    assert (encoder.grid, encoder.attnpool.heads) == ((16, 8), 32)


def attention_of_pytorch(pool: AttentionPool, x: Tensor) -> Tensor:
    tokens = x.flatten(2).permute(2, 0, 1)  # (N, B, D)
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens])
    tokens = tokens + pool.positional_embedding[:, None]
    result, _ = F.multi_head_attention_forward(
        *(tokens, tokens, tokens, tokens.shape[2], pool.heads),
        *(None, torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias])),
        *(None, None, False, 0.0, pool.c_proj.weight, pool.c_proj.bias),
        use_separate_proj_weight=True,
        q_proj_weight=pool.q_proj.weight,
        k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
    )
    return result.transpose(0, 1)


def test_attention_pool_against_pytorch() -> None:
    pool = AttentionPool((4, 2), 128, 2, 48)
    x = torch.randn(3, 128, 4, 2)
    result = pool(x)
    assert result.shape == (3, 9, 48)
    torch.testing.assert_close(result, attention_of_pytorch(pool, x), rtol=0, atol=1e-5)
    torch.testing.assert_close(pool.mean_token(x), result[:, 0], rtol=0, atol=1e-5)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("width", "output_dim", "count"),
    [(64, 1024, 38_478_688), (32, 1024, 10_225_840), (32, 512, 9_701_040), (24, 512, 5_585_780)],
)
def test_parameter_counts(width: int, output_dim: int, count: int) -> None:
    with torch.device("meta"):
        encoder = ClipResNet(width, output_dim=output_dim)
    assert parameters(encoder) == count
    if width == 64:
        assert parameters(encoder.attnpool) == 14_951_424


@pytest.mark.parametrize("width", [2, 6, 24])
def test_narrow_encoders(width: int) -> None:
    encoder = ClipResNet(width, (1, 2, 1, 1), 20, (32, 48))
    x3, x4, tokens = encoder(torch.randn(2, 3, 32, 48))
    assert x3.shape == (2, 16 * width, 2, 3)
    assert x4.shape == (2, 32 * width, 2, 3)
    assert tokens.shape == (2, 7, 20)
    assert (encoder.width, encoder.output_dim, encoder.grid) == (width, 20, (2, 3))


def test_every_parameter_has_a_gradient() -> None:
    encoder = shaken(ClipResNet(8, (2, 1, 1, 1), 16, (64, 32))).train()
    x3, x4, tokens = encoder(torch.randn(4, 3, 64, 32))
    (x3.square().mean() + x4.square().mean() + tokens.square().mean()).backward()
    # A bias of the keys shifts all scores of a query equally, which softmax ignores.
    without = {"attnpool.k_proj.bias"}
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert name in without or parameter.grad.any(), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    encoder = shaken(ClipResNet(8, (1, 1, 1, 1), 16, (64, 32)))
    x = torch.randn(2, 3, 64, 32)
    with torch.autocast("cpu", dtype=dtype):
        tokens = encoder(x)[2]
    assert tokens.dtype == dtype
    torch.testing.assert_close(tokens.float(), encoder(x)[2], rtol=0.05, atol=0.05)
    tokens.float().sum().backward()


def test_no_pictures() -> None:
    encoder = ClipResNet(8, (1, 1, 1, 1), 16, (64, 32)).eval()
    assert encoder(torch.zeros(0, 3, 64, 32))[2].shape == (0, 9, 16)


def test_pictures_do_not_affect_each_other() -> None:
    encoder = shaken(ClipResNet(8, (1, 1, 1, 1), 16, (64, 32)))
    x = torch.randn(3, 3, 64, 32)
    alone = torch.cat([encoder(x[i : i + 1])[2] for i in range(3)])
    torch.testing.assert_close(alone, encoder(x)[2], rtol=1e-4, atol=1e-5)


def test_pictures_of_another_size_are_refused() -> None:
    encoder = ClipResNet(8, (1, 1, 1, 1), 16, (64, 32))
    for shape in ((1, 3, 32, 64), (1, 4, 64, 32)):
        with pytest.raises(ValueError, match=r"pictures must be \(B, 3, 64, 32\)"):
            encoder(torch.zeros(shape))


def test_impossible_encoders_are_refused() -> None:
    with pytest.raises(ValueError, match="width must be even"):
        ClipResNet(33)
    with pytest.raises(ValueError, match="width must be even"):
        ClipResNet(0)
    with pytest.raises(ValueError, match="multiples of 16"):
        ClipResNet(8, image_size=(250, 128))
    with pytest.raises(ValueError, match="at least 16x16"):
        ClipResNet(8, image_size=(0, 128))
