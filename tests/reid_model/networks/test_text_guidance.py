"""The text-guided image module against its equations, one picture and one head at a time."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.text_guidance import Attention, TextGuidance

SIZES = {"text_width": 12, "visual_width": 10, "width": 8, "heads": 2}


def trained(module: nn.Module) -> nn.Module:
    """The module as if it had been trained, in eval mode."""
    torch.manual_seed(5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.2, 0.5)
    return module.eval()


def inputs(batch: int = 3, classes: int = 5) -> tuple[Tensor, Tensor]:
    torch.manual_seed(6)
    return torch.randn(classes, 12), torch.randn(batch, 10, 4, 2)


def plain_attention(attention: Attention, queries: Tensor, memory: Tensor) -> Tensor:
    """``(C, width)`` and ``(N, width)``: head by head, with an explicit matrix."""
    size = queries.shape[1] // attention.heads
    q, k, v = attention.query(queries), attention.key(memory), attention.value(memory)
    parts = []
    for head in range(attention.heads):
        span = slice(head * size, (head + 1) * size)
        similarity = q[:, span] @ k[:, span].T / math.sqrt(size)
        powers = torch.exp(similarity - similarity.max())
        parts.append(powers / powers.sum(dim=1, keepdim=True) @ v[:, span])
    return attention.out(torch.cat(parts, dim=1))


def plain_guidance(module: TextGuidance, text: Tensor, visual: Tensor, residual: str) -> Tensor:
    """For one picture ``(D, H, W)``, computed for it alone."""
    memory = module.memory(visual.flatten(1).T)
    x = module.text(text)
    for layer in module.layers:
        u = layer.norm1(x)
        x = x + plain_attention(layer.self_attention, u, u)
        u = layer.norm2(x)
        base = u if residual == "normalised" else x
        x = base + plain_attention(layer.cross_attention, u, memory)
        hidden = F.gelu(layer.mlp[0](layer.norm3(x)))
        x = x + layer.mlp[3](hidden)
    return text + module.gamma * module.out(x)


@pytest.mark.parametrize("residual", ["state", "normalised"])
def test_computing_once_a_batch_equals_computing_for_each_picture(residual: str) -> None:
    text, visual = inputs()
    module = trained(TextGuidance(**SIZES, residual=residual))
    with torch.inference_mode():
        found = module(text, visual)
        expected = [plain_guidance(module, text, picture, residual) for picture in visual]
    assert found.shape == (3, 5, 12)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_the_residuals_differ() -> None:
    text, visual = inputs()
    state, normalised = (
        trained(TextGuidance(**SIZES, residual=residual)) for residual in ("state", "normalised")
    )
    assert (state(text, visual) - normalised(text, visual)).abs().max() > 1e-3


def test_the_size_of_the_paper() -> None:
    with torch.device("meta"):
        module = TextGuidance()
    assert sum(parameter.numel() for parameter in module.parameters()) == 3_949_824
    assert len(module.layers) == 3
    assert {layer.self_attention.heads for layer in module.layers} == {4}
    assert {m.p for m in module.modules() if isinstance(m, nn.Dropout)} == {0.1}


def test_a_new_module_hardly_changes_the_texts() -> None:
    text, visual = inputs()
    module = TextGuidance(**SIZES).eval()
    torch.testing.assert_close(module.gamma.detach(), torch.full((12,), 1e-4))
    found = module(text, visual)
    assert 0 < (found - text).abs().max() < 1e-3


def test_linear_layers_are_small_and_without_bias_at_first() -> None:
    torch.manual_seed(0)
    linears = [m for m in TextGuidance(**SIZES).modules() if isinstance(m, nn.Linear)]
    weights = torch.cat([linear.weight.flatten() for linear in linears])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
    biases = [linear.bias for linear in linears if linear.bias is not None]
    assert all(bias.abs().max() == 0 for bias in biases)
    # Queries, keys and values of two attentions in three layers have no bias.
    assert len(linears) - len(biases) == 18


def test_without_gamma_the_texts_are_unchanged() -> None:
    text, visual = inputs()
    module = trained(TextGuidance(**SIZES))
    nn.init.zeros_(module.gamma)
    assert torch.equal(module(text, visual), text.expand(3, -1, -1))


def test_gradients_reach_the_picture_and_every_parameter_but_not_the_texts() -> None:
    text, visual = inputs()
    text.requires_grad_()
    visual.requires_grad_()
    module = trained(TextGuidance(**SIZES))
    (module(text, visual) * torch.randn(3, 5, 12)).sum().backward()
    assert text.grad is None
    assert visual.grad.abs().max() > 0
    still = {name for name, p in module.named_parameters() if p.grad.abs().max() == 0}
    assert still == set()


def test_dropout_is_drawn_for_each_picture() -> None:
    text, visual = inputs(batch=1)
    module = trained(TextGuidance(**SIZES, layers=1, dropout=0.5)).train()
    module.layers[0].mlp.eval()
    torch.manual_seed(0)
    seen: list[Tensor] = []
    module.layers[0].norm2.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    module(text, visual.expand(2, -1, -1, -1))
    # The input of the second step differs only by the dropout of the first step.
    assert (seen[0][0] - seen[0][1]).abs().max() > 0


def test_the_attentions_can_be_fused() -> None:
    """With as many classes as MSMT17; only the fused kernel is allowed, forward and backward."""
    flash = torch.nn.attention.SDPBackend.FLASH_ATTENTION
    module = TextGuidance(16, 16, width=8, heads=2, layers=2)
    with torch.nn.attention.sdpa_kernel(flash):
        found = module(torch.randn(1041, 16), torch.randn(2, 16, 4, 2))
        found.sum().backward()
    assert found.shape == (2, 1041, 16)


def test_no_pictures() -> None:
    text, visual = inputs(batch=0)
    assert TextGuidance(**SIZES)(text, visual).shape == (0, 5, 12)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of heads, got 8 and 3"):
        TextGuidance(12, 10, width=8, heads=3)
    with pytest.raises(ValueError, match="residual must be state or normalised, got 'x'"):
        TextGuidance(12, 10, width=8, heads=2, residual="x")
