"""CLIP's text encoder against open_clip's."""

import pytest
import torch
from torch import Tensor, nn

from reid_model.networks.clip_transformer import ClipText, end_positions
from reid_model.networks.clip_weights import fill_text_encoder
from reid_toys import assert_close

pytestmark = pytest.mark.usefixtures("seed")

TEXTS = ["A photo of a X X X X person.", "", "someone in a red coat, carrying 2 bags"]


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """open_clip's RN50 with QuickGELU, random; without its image tower."""
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(1)
    with torch.device("meta"):
        model = open_clip.CLIP(**open_clip.get_model_config("RN50-quickgelu"))
    del model.visual
    attn_mask = torch.full((77, 77), -torch.inf).triu(1)
    model = model.to_empty(device="cpu").eval()
    model.attn_mask = attn_mask
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.05)
    return model


@pytest.fixture(scope="module")
def ours(theirs: nn.Module) -> ClipText:
    with torch.device("meta"):
        on_meta = ClipText()
    encoder = on_meta.to_empty(device="cpu").eval()
    fill_text_encoder(encoder, theirs.state_dict())
    return encoder


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    ids: Tensor = pytest.importorskip("open_clip").tokenize(TEXTS)
    return ids


@torch.inference_mode()
def test_against_open_clip(theirs: nn.Module, ours: ClipText, tokens: Tensor) -> None:
    result = ours(tokens)
    assert result.shape == (3, 1024)
    assert_close(result, theirs.encode_text(tokens))


@torch.inference_mode()
def test_embeddings_in_place_of_ids(ours: ClipText, tokens: Tensor) -> None:
    result = ours.encode(ours.token_embedding(tokens), end_positions(tokens))
    assert_close(result, ours(tokens))


@torch.inference_mode()
def test_a_text_may_be_cut_after_its_end(ours: ClipText, tokens: Tensor) -> None:
    assert_close(ours(tokens[:1, :12]), ours(tokens)[:1])


def small(**options: int) -> ClipText:
    defaults = {"output_dim": 12, "width": 32, "layers": 2, "heads": 4, "context": 9}
    encoder = ClipText(**(defaults | {"vocabulary": 50} | options))
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return encoder


def test_later_tokens_have_no_effect_and_earlier_ones_do() -> None:
    encoder = small()
    embeddings = torch.randn(1, 9, 32)
    ends = torch.tensor([4])
    plain = encoder.encode(embeddings, ends)
    for place in range(9):
        changed = embeddings.clone()
        changed[:, place] += torch.randn(32)
        same = torch.allclose(encoder.encode(changed, ends), plain, atol=1e-6)
        assert same == (place > 4), place


def test_the_output_is_read_at_the_end() -> None:
    encoder = small()
    tokens = torch.tensor([[48, 3, 49, 0, 0, 0, 0, 0, 0], [48, 3, 7, 9, 49, 0, 0, 0, 0]])
    assert end_positions(tokens).tolist() == [2, 4]
    whole = encoder(tokens)
    torch.testing.assert_close(whole[:1], encoder(tokens[:1, :3]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(whole[1:], encoder(tokens[1:, :5]), rtol=1e-4, atol=1e-5)


def test_end_positions_take_the_first() -> None:
    assert end_positions(torch.tensor([[1, 49, 49], [49, 0, 0]])).tolist() == [1, 0]
    assert end_positions(torch.zeros(0, 77, dtype=torch.long)).shape == (0,)


def test_parameter_counts() -> None:
    with torch.device("meta"):
        encoder = ClipText()
    words = sum(p.numel() for p in encoder.token_embedding.parameters())
    assert words == 25_296_896
    assert sum(p.numel() for p in encoder.parameters()) - words == 38_393_344


def test_gradients_reach_the_embeddings_and_every_parameter() -> None:
    encoder = small()
    embeddings = torch.randn(2, 9, 32, requires_grad=True)
    result = encoder.encode(embeddings, torch.tensor([3, 8]))
    result.square().sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad[0, :4].any(dim=1).all()
    assert not embeddings.grad[0, 4:].any()
    for name, parameter in encoder.named_parameters():
        if name != "token_embedding.weight":
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    encoder = small()
    tokens = torch.randint(50, (2, 9))
    with torch.autocast("cpu", dtype=dtype):
        result = encoder(tokens)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), encoder(tokens), rtol=0.1, atol=0.3)
    result.float().sum().backward()


def test_no_texts() -> None:
    assert small()(torch.zeros(0, 9, dtype=torch.long)).shape == (0, 12)


def test_too_many_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 9 tokens, got 10"):
        small()(torch.zeros(1, 10, dtype=torch.long))


def test_the_sizes_build_the_same_again() -> None:
    text = ClipText(output_dim=8, width=16, layers=2, heads=4, context=5, vocabulary=7)
    again = ClipText(**text.sizes)
    shapes = {name: value.shape for name, value in text.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes
    assert again.sizes == text.sizes
