"""MSCSA against its definition in loops, on maps of a few pixels."""

import math

import pytest
import torch
from torch import Tensor, nn

from reid_model.networks.mscsa import MSCSA

#: high, low, stride and the parameters that follow from the paper's widths
PUBLISHED = [
    (256, 64, 1, 63_264),
    (512, 256, 2, 594_048),
    (1024, 512, 2, 2_367_744),
    (2048, 1024, 1, 9_454_080),
]
VARIANTS = [
    {},
    {"scale": "inverse_sqrt"},
    {"normalisation": "count"},
    {"spatial": "literal"},
    {"spatial": "literal", "scale": "inverse_sqrt"},
    {"spatial": "literal", "normalisation": "count"},
]


def trained(module: nn.Module) -> nn.Module:
    """The module as if it had been trained: no parameter is zero or one, and it is in eval mode."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1.5) if "var" in name else nn.init.normal_(tensor)
    return module.eval()


def maps(stride: int, high: int = 6, low: int = 4, batch: int = 2) -> tuple[Tensor, Tensor]:
    """A high map of 2 x 3 positions and the low map that it came from."""
    torch.manual_seed(3)
    return torch.randn(batch, high, 2, 3), torch.randn(batch, low, 2 * stride, 3 * stride)


def looped_conv(conv: nn.Module, x: Tensor, stride: int = 1) -> Tensor:
    """A 1 x 1 convolution of ``(C, H, W)``, one number at a time."""
    weight, bias = conv.weight.detach()[:, :, 0, 0], conv.bias.detach()
    rows, columns = math.ceil(x.shape[1] / stride), math.ceil(x.shape[2] / stride)
    y = torch.zeros(len(weight), rows, columns)
    for o in range(len(weight)):
        for i in range(rows):
            for j in range(columns):
                terms = [weight[o, c] * x[c, i * stride, j * stride] for c in range(len(x))]
                y[o, i, j] = sum(terms) + bias[o]
    return y


def looped_norm(norm: nn.Module, x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    for c in range(len(x)):
        deviation = math.sqrt(float(norm.running_var[c]) + norm.eps)
        y[c] = (x[c] - norm.running_mean[c]) / deviation
        y[c] = y[c] * norm.weight.detach()[c] + norm.bias.detach()[c]
    return y


def looped_attention(
    query: list[Tensor], key: list[Tensor], value: list[Tensor], variant: dict[str, str]
) -> list[Tensor]:
    """One result for each query: the values, weighted by the dot products with the keys."""
    factor = len(query[0]) ** -0.5 if variant.get("scale") == "inverse_sqrt" else 1.0
    results = []
    for q in query:
        dots = [float(sum(a * b for a, b in zip(q, k, strict=True))) * factor for k in key]
        if variant.get("normalisation") == "count":
            weights = [dot / len(key) for dot in dots]
        else:
            powers = [math.exp(dot - max(dots)) for dot in dots]
            weights = [power / sum(powers) for power in powers]
        results.append(sum(w * v for w, v in zip(weights, value, strict=True)))
    return results


def looped_channel(
    part: nn.Module, high: Tensor, low: Tensor, stride: int, variant: dict[str, str]
) -> Tensor:
    query = [channel.flatten() for channel in looped_conv(part.query, high)]
    key = [channel.flatten() for channel in looped_conv(part.key, low, stride)]
    value = [channel.flatten() for channel in looped_conv(part.value, low)]
    mixed = torch.stack(looped_attention(query, key, value, variant))
    mixed = mixed.reshape(len(low), *low.shape[1:])
    return looped_norm(part.norm, looped_conv(part.out, mixed, stride)) + high


def looped_positions(x: Tensor, literal: bool) -> list[Tensor]:
    """A vector for each position; literally, one for each pair of positions half a map apart."""
    flat = x.flatten(1)
    if not literal:
        return [flat[:, n] for n in range(flat.shape[1])]
    half = flat.shape[1] // 2
    return [
        torch.stack([flat[c, part * half + n] for c in range(len(flat)) for part in (0, 1)])
        for n in range(half)
    ]


def looped_spatial(part: nn.Module, high: Tensor, low: Tensor, variant: dict[str, str]) -> Tensor:
    literal = variant.get("spatial") == "literal"
    query, key, value = (
        looped_positions(looped_conv(conv, x), literal)
        for conv, x in ((part.query, high), (part.key, low), (part.value, low))
    )
    mixed = looped_attention(query, key, value, variant)
    count, size = len(low) // 2, high.shape[1:].numel()
    flat = torch.zeros(count, size)
    for n, vector in enumerate(mixed):
        for c in range(count):
            if literal:
                flat[c, n], flat[c, size // 2 + n] = vector[2 * c], vector[2 * c + 1]
            else:
                flat[c, n] = vector[c]
    mixed_map = flat.reshape(count, *high.shape[1:])
    return looped_norm(part.norm, looped_conv(part.out, mixed_map)) + high


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_agrees_with_the_definition_in_loops(stride: int, variant: dict[str, str]) -> None:
    high, low = maps(stride)
    module = trained(MSCSA(6, 4, stride, **variant))
    with torch.inference_mode():
        found = module(high, low)
    for picture in range(2):
        between = looped_channel(module.channel, high[picture], low[picture], stride, variant)
        expected = looped_spatial(module.spatial, between, low[picture], variant)
        torch.testing.assert_close(found[picture], expected, rtol=1e-4, atol=1e-4)


def test_the_variants_differ() -> None:
    high, low = maps(2)
    weights = trained(MSCSA(6, 4, 2)).state_dict()
    results = []
    for variant in VARIANTS:
        module = MSCSA(6, 4, 2, **variant).eval()
        module.load_state_dict(weights)
        results.append(module(high, low).detach())
    pairs = [(a, b) for i, a in enumerate(results) for b in results[:i]]
    assert min(float((a - b).abs().max()) for a, b in pairs) > 1e-3


@pytest.mark.parametrize(("high", "low", "stride", "count"), PUBLISHED)
def test_parameter_counts(high: int, low: int, stride: int, count: int) -> None:
    with torch.device("meta"):
        module = MSCSA(high, low, stride)
    assert sum(parameter.numel() for parameter in module.parameters()) == count


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_new_module_changes_nothing(variant: dict[str, str], training: bool) -> None:
    high, low = maps(2)
    assert torch.equal(MSCSA(6, 4, 2, **variant).train(training)(high, low), high)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_gradients_reach_both_maps_and_every_parameter(variant: dict[str, str]) -> None:
    high, low = maps(2)
    module = trained(MSCSA(6, 4, 2, **variant))
    high.requires_grad_()
    low.requires_grad_()
    # A weighted sum: the plain sum would not distinguish the channels.
    (module(high, low) * torch.randn(high.shape)).sum().backward()
    named = [("high", high), ("low", low), *module.named_parameters()]
    # Shifting all keys equally does not change the softmax: their bias has no gradient.
    needless = set() if "normalisation" in variant else {"spatial.key.bias"}
    still = {name for name, tensor in named if tensor.grad.abs().max() < 1e-4}
    assert still <= needless


def test_a_new_module_can_start_to_learn() -> None:
    high, low = maps(2)
    module = MSCSA(6, 4, 2)
    (module(high, low) * torch.randn(high.shape)).sum().backward()
    for part in (module.channel, module.spatial):
        assert part.norm.weight.grad.abs().min() > 0
        assert part.norm.bias.grad.abs().min() > 0


def test_the_spatial_attention_can_be_fused() -> None:
    """Only the fused kernel is allowed, so the matrix of 2048 x 2048 positions is never stored."""
    flash = torch.nn.attention.SDPBackend.FLASH_ATTENTION
    module = MSCSA(256, 64, 1).eval()
    with torch.inference_mode(), torch.nn.attention.sdpa_kernel(flash):
        found = module(torch.randn(1, 256, 64, 32), torch.randn(1, 64, 64, 32))
    assert found.shape == (1, 256, 64, 32)


def test_pictures_do_not_affect_each_other_and_none_is_accepted() -> None:
    high, low = maps(2)
    module = trained(MSCSA(6, 4, 2))
    torch.testing.assert_close(module(high[1:], low[1:]), module(high, low)[1:])
    assert module(high[:0], low[:0]).shape == (0, 6, 2, 3)


@pytest.mark.parametrize(
    ("low", "variant", "message"),
    [
        (5, {}, "channels must be even, got 5"),
        (4, {"normalisation": "count", "scale": "inverse_sqrt"}, "needs normalisation softmax"),
        (4, {"normalisation": "sofmax"}, "normalisation must be one of softmax, count"),
        (4, {"spatial": "other"}, "spatial must be one of intended, literal, got 'other'"),
        (4, {"scale": "1"}, "scale must be one of one, inverse_sqrt"),
    ],
)
def test_impossible_options_are_refused(low: int, variant: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MSCSA(6, low, 1, **variant)


def test_channel_attention_sums_to_one_over_the_keys() -> None:
    high, low = maps(2)
    with torch.inference_mode():
        attention = MSCSA(6, 4, 2).channel.attention(high, low)
    assert attention.shape == (2, 4, 4)
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(2, 4))
