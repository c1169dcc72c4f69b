"""A text encoder that learns from descriptions of people."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reid_model.data.captions import Caption
from reid_model.data.folder import read_folder
from reid_model.networks.clip_text import tokenize
from reid_model.training.captions import (
    TextRecipe,
    caption_features,
    learn_and_measure,
    learn_captions,
    text_rank1,
)
from reid_model.training.state import Stopped
from reid_toys import write_toy_set

pytest.importorskip("open_clip")

RECIPE = TextRecipe(width=16, layers=1, heads=2, epochs=20, batch=8, learning_rate=1e-2)
SHORT = replace(RECIPE, epochs=1)
COLOURS = ("red", "blue", "green", "white", "black", "yellow")
#: Two descriptions of each of six people.
CAPTIONS = tuple(
    Caption(text.format(colour), person, ())
    for person, colour in enumerate(COLOURS)
    for text in ("a {} coat", "someone in a {} shirt")
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def features() -> Tensor:
    """The features of a picture of each caption: ``(12, 8)``, not of unit length."""
    centres = 5 * torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    return centres.repeat_interleave(2, dim=0)


def test_descriptions_find_their_person() -> None:
    losses: list[float] = []
    text = learn_captions(
        RECIPE, CAPTIONS, features(), report=lambda epoch, loss: losses.append(loss)
    )
    assert len(losses) == 20
    assert losses[-1] < 0.5 * losses[0]
    assert text_rank1(text, CAPTIONS, features()) == 1.0
    assert text_rank1(text, CAPTIONS, -features()) < 0.5
    assert not text.training


def test_plain_dot_products_are_the_logits_that_were_learned() -> None:
    text = learn_captions(SHORT, CAPTIONS, features())
    with torch.no_grad():
        texts = text(tokenize([caption.text for caption in CAPTIONS]))
    scale = texts.norm(dim=1).mean() * features().norm(dim=1).mean()
    # CLIP starts at 1 / 0.07; a scale of this size moves little in so few steps.
    assert 5 < scale < 100
    again = learn_captions(SHORT, CAPTIONS, 10 * features())
    with torch.no_grad():
        shorter = again(tokenize([caption.text for caption in CAPTIONS]))
    torch.testing.assert_close(10 * shorter, texts, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_weights() -> None:
    one, two, other = (
        learn_captions(recipe, CAPTIONS, features()).state_dict()
        for recipe in (SHORT, SHORT, replace(SHORT, seed=2))
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["text_projection"], other["text_projection"])


def test_one_person_in_ten_is_held_out_for_evaluation() -> None:
    _, figures = learn_and_measure(SHORT, CAPTIONS, features())
    assert figures == {
        "captions": 10,
        "people": 5,
        "unseen_people": 1,
        "unseen_rank1": 1.0,  # there is only one person to find
    }


def test_it_stops_on_request_and_needs_captions() -> None:
    with pytest.raises(Stopped):
        learn_captions(SHORT, CAPTIONS, features(), stop=lambda: True)
    with pytest.raises(ValueError, match="no descriptions"):
        learn_captions(SHORT, (), torch.zeros(0, 8))


def test_features_are_the_mean_of_a_captions_pictures(tmp_path: Path) -> None:
    images = read_folder(write_toy_set(tmp_path / "toys")).train
    one, two = images[0].path, images[4].path
    captions = [Caption("", 0, (two,)), Caption("", 0, (one,)), Caption("", 0, (one, two))]
    found = caption_features(lambda pixels: pixels.mean(dim=(2, 3)), captions, (64, 32))
    assert found.shape == (3, 3)
    assert not torch.allclose(found[0], found[1])
    torch.testing.assert_close(found[2], (found[0] + found[1]) / 2)
