"""What FusionSegReID is measured against: colours, and mask heads with and without guidance."""

from pathlib import Path

import numpy as np
import pytest
import torch

import fusion
from fusion import colours_of_pictures, colours_of_words, new_heads
from reid_model.data.clothes import COLOURS
from reid_model.training.kept_maps import KeptMaps
from tests.fusion_toys import toy_fusion


def test_colours_of_words_find_the_picture_that_has_them() -> None:
    red, blue = (np.full((60, 30, 3), bgr, np.uint8) for bgr in ((20, 20, 200), (170, 120, 20)))
    seen = colours_of_pictures([red, blue])
    said = colours_of_words(["A Red jacket.", "jeans of blue", "somebody"])
    assert (said @ seen.T).argmax(axis=1).tolist()[:2] == [0, 1]
    assert not said[2].any()


def test_grey_has_two_spellings_and_a_part_of_a_word_is_no_colour() -> None:
    said = colours_of_words(["a gray hat", "a bored person"])
    assert said[0, COLOURS.index("grey")] == 1
    assert not said[1].any()


def test_only_the_guided_head_depends_on_the_picture_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fusion, "HEAD_STEPS", 4)
    model, count = toy_fusion(trained=True), 6
    random = np.random.default_rng(0)
    for name, shape in (("first", (64, 8, 4)), ("second", (96, 4, 2))):
        kept = KeptMaps(tmp_path / name, 1, count, shape)
        kept.write(0, 0, random.normal(size=(count, *shape)).astype(np.float32))
    masks = np.tile(np.repeat([1, 0], 8)[None, :, None], (count, 1, 8)).astype(np.int8)
    np.savez(tmp_path / "labels.npz", masks=masks)
    guided, unguided, token = new_heads(model, tmp_path, 0)
    assert token.any()
    states = guided.state_dict()
    assert any((states[name] != value).any() for name, value in unguided.state_dict().items())
    again, _, same = new_heads(model, tmp_path, 0)
    torch.testing.assert_close(same, token)
    torch.testing.assert_close(again.state_dict(), states)
