"""A map from descriptions of people to their pictures."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reid_model.data.captions import Caption
from reid_model.training.captions import (
    MapRecipe,
    caption_features,
    caption_pictures,
    learn_and_measure,
    learn_map,
    text_rank1,
)

RECIPE = MapRecipe(epochs=100, batch=8, learning_rate=1e-2)
SHORT = replace(RECIPE, epochs=1)
#: Two descriptions of each of six people.
PEOPLE = torch.arange(6).repeat_interleave(2)


def features() -> Tensor:
    """The features of a picture of each description: ``(12, 8)``, not of unit length."""
    return 5 * torch.randn(6, 8, generator=torch.Generator().manual_seed(0))[PEOPLE]


def sentences() -> Tensor:
    """What a text encoder says of each description: ``(12, 10)``, near for the same person."""
    generator = torch.Generator().manual_seed(1)
    people = torch.randn(6, 10, generator=generator)[PEOPLE]
    return people + 0.1 * torch.randn(12, 10, generator=generator)


def test_descriptions_find_their_person() -> None:
    learned = learn_map(RECIPE, sentences(), features(), PEOPLE)
    assert text_rank1(sentences() @ learned, features(), PEOPLE) == 1.0
    assert text_rank1(sentences() @ learned, -features(), PEOPLE) < 0.5
    assert not learned.requires_grad


def test_plain_dot_products_are_the_logits_that_were_learned() -> None:
    texts = sentences() @ learn_map(SHORT, sentences(), features(), PEOPLE)
    scale = texts.norm(dim=1).mean() * features().norm(dim=1).mean()
    # CLIP starts at 1 / 0.07; a scale of this size moves little in so few steps.
    assert 5 < scale < 100
    shorter = sentences() @ learn_map(SHORT, sentences(), 10 * features(), PEOPLE)
    torch.testing.assert_close(10 * shorter, texts, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_map() -> None:
    one, two, other = (
        learn_map(recipe, sentences(), features(), PEOPLE)
        for recipe in (SHORT, SHORT, replace(SHORT, seed=2))
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_one_person_in_ten_is_held_out_for_evaluation() -> None:
    captions = [Caption("", int(person), ()) for person in PEOPLE]
    learned, figures = learn_and_measure(SHORT, captions, sentences(), features())
    assert figures == {
        "captions": 10,
        "people": 5,
        "unseen_people": 1,
        "unseen_rank1": 1.0,  # there is only one person to find
    }
    seen = PEOPLE != 0
    assert torch.equal(learned, learn_map(SHORT, sentences()[seen], features()[seen], PEOPLE[seen]))


def test_it_needs_descriptions() -> None:
    with pytest.raises(ValueError, match="no descriptions"):
        learn_map(SHORT, torch.zeros(0, 10), torch.zeros(0, 8), torch.zeros(0))


def test_features_are_the_mean_of_a_captions_pictures() -> None:
    one, two = Path("a.png"), Path("b.png")
    captions = [Caption("", 0, (two,)), Caption("", 0, (one,)), Caption("", 0, (one, two))]
    assert caption_pictures(captions) == [one, two]
    found = caption_features(captions, torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert found.tolist() == [[3, 6], [1, 2], [2, 4]]
