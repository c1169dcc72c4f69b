"""FusionSegReID on a small trunk: what is new changes nothing, what is trained does its part."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.cross_modal import CrossModalTransformer, Tokens, dropped
from reid_model.networks.fused import FusedModel
from reid_model.networks.fusion import FusionModel
from reid_model.networks.mask_guidance import ForegroundPool
from tests.fusion_toys import SMALL, toy_fusion, toy_pixels

OFF = replace(SMALL, text=False, mask=False, fusion=False)


def words(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States ``(B, L, 12)`` of so many words each, and which are there."""
    states = torch.randn(len(lengths), max(lengths), 12, generator=torch.Generator().manual_seed(6))
    return states, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


@torch.no_grad()
@pytest.mark.parametrize("trained", [False, True])
def test_with_all_switches_off_the_vectors_are_the_fused_models(trained: bool) -> None:
    model, pixels = toy_fusion(OFF, trained=trained), toy_pixels()
    vectors, text_vectors, visible = model(pixels)
    assert torch.equal(vectors, model.fused(pixels))
    assert text_vectors.shape == visible.shape == (3, 0)


@torch.no_grad()
def test_a_new_model_gives_the_fused_models_vectors() -> None:
    model, pixels = toy_fusion(), toy_pixels()
    vectors, text_vectors, visible = model(pixels)
    torch.testing.assert_close(vectors, model.fused(pixels))
    assert text_vectors.shape == (3, 8)
    assert visible.shape == (3, 4)
    seen = model.see(pixels)
    text = model.text_tokens(*words(4, 2, 3))
    torch.testing.assert_close(model.query(seen, text), vectors)


@torch.no_grad()
def test_each_switch_takes_away_its_part_alone() -> None:
    whole, pixels = toy_fusion(trained=True), toy_pixels()
    of_all = whole.see(pixels)
    assert (of_all.vectors - whole.fused(pixels)).abs().max() > 1e-3
    state = whole.state_dict()
    for switch in ("text", "mask", "fusion"):
        model = toy_fusion(replace(SMALL, **{switch: False}))
        model.load_state_dict(state)
        seen = model.see(pixels)
        same = torch.equal(seen.vectors, of_all.vectors)
        assert same == (switch != "mask")
        assert (seen.text_vectors is None) == (switch == "text")
        assert (seen.body is None) == (switch == "mask")


def test_fusion_switched_off_refuses_a_query_of_both() -> None:
    model = toy_fusion(replace(SMALL, fusion=False))
    seen = model.see(toy_pixels())
    with pytest.raises(ValueError, match="switched off"):
        model.query(seen, model.text_tokens(*words(2, 2, 2)))


def test_another_encoder_is_refused() -> None:
    encoder = ClipResNet(8, (1, 1, 1, 1), 16, (64, 32))
    with pytest.raises(ValueError, match="omni-scale"):
        FusionModel(FusedModel(encoder, 1).deploy(), SMALL)


@torch.no_grad()
def test_the_fused_models_vector_counts_as_much_as_the_persons() -> None:
    model, pixels = toy_fusion(trained=True), toy_pixels()
    seen = model.see(pixels)
    assert seen.body is not None
    both = F.normalize(seen.body.vectors, dim=1) + model.fused(pixels)
    torch.testing.assert_close(seen.vectors, F.normalize(both, dim=1))


@torch.no_grad()
def test_a_gallery_vector_depends_on_its_picture_alone() -> None:
    model, pixels = toy_fusion(trained=True), toy_pixels(4)
    together = model(pixels)
    for one, alone in zip(together, model(pixels[2:4]), strict=True):
        torch.testing.assert_close(one[2:4], alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_padding_and_company_change_no_description() -> None:
    model = toy_fusion(trained=True)
    states, present = words(4, 2)
    together = model.describe(states, present)
    alone = model.describe(states[1:, :2], present[1:, :2])
    torch.testing.assert_close(together[1:], alone)
    assert (together[0] - together[1]).abs().max() > 1e-3


@torch.no_grad()
def test_a_dropped_side_is_as_one_that_was_never_given() -> None:
    torch.manual_seed(0)
    transformer = CrossModalTransformer(16, 2, 2, (4, 2), dropout=0.0)
    for parameter in transformer.parameters():
        nn.init.normal_(parameter, std=0.1)
    values, states = torch.randn(2, 8, 16), torch.randn(2, 3, 16)
    text = Tokens(states, torch.ones(2, 3, dtype=torch.bool))
    picture = transformer.picture_tokens(values)
    assert picture is not None
    generator = torch.Generator().manual_seed(1)
    without, kept = dropped(picture, text, 1.0, generator)
    assert not without.present.any()
    assert not kept.present.any()
    found = transformer.train().read(2, without, text)
    expected = transformer.eval()(None, text)
    torch.testing.assert_close(found.identity, expected.identity)


def test_never_both_sides_are_dropped() -> None:
    generator = torch.Generator().manual_seed(1)
    sides = [Tokens(torch.zeros(999, 2, 4), torch.ones(999, 2, dtype=torch.bool)) for _ in range(2)]
    picture, text = dropped(sides[0], sides[1], 0.3, generator)
    has_picture, has_text = picture.present.any(dim=1), text.present.any(dim=1)
    assert (has_picture | has_text).all()
    assert 0.2 < 1 - has_picture.float().mean() < 0.4
    assert 0.2 < 1 - has_text.float().mean() < 0.4


def test_neither_side_is_refused() -> None:
    with pytest.raises(ValueError, match="a picture, a text or both"):
        CrossModalTransformer(8, 1, 2, (4, 2))(None, None)


@torch.no_grad()
def test_foreground_pooling_takes_hidden_places_for_what_is_seen() -> None:
    torch.manual_seed(0)
    pool = nn.Conv2d(2, 2, (4, 2), groups=2)
    pool.weight.abs_()
    foreground = ForegroundPool(2)
    nn.init.ones_(foreground.share)
    clean = torch.ones(1, 2, 4, 2) * torch.tensor([2.0, 3.0])[None, :, None, None]
    hidden = clean.clone()
    hidden[:, :, 2:] = 9.0
    mask = torch.ones(1, 1, 8, 4)
    mask[:, :, 4:] = 0.0
    torch.testing.assert_close(foreground(hidden, pool, mask), pool(clean).flatten(1))
    nothing = foreground(hidden, pool, torch.zeros(1, 1, 8, 4))
    assert torch.isfinite(nothing).all()
