"""Words for pictures: neutral descriptions, colours of garments, and sentences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_model.data.clothes import (
    COLOURS,
    Clothes,
    agreed_clothes,
    colour_name,
    colour_shares,
    seen_colours,
)
from reid_model.data.labelled_picture import LabelledPicture
from reid_model.data.market_attributes import read_attributes
from reid_model.data.neutral_words import is_neutral, neutral
from reid_model.data.phrases import sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A young Asian man in a red shirt.", "A person in a red shirt."),
        ("An older black woman carries her bag.", "A person carries their bag."),
        (
            "She wears jeans. He looks at her",
            "The person wears jeans. The person looks at the person",
        ),
        ("White male with black hair and a beard", "Person with black hair"),
        ("The man appears to be Asian. He has short hair.", "The person has short hair."),
        ("a black shirt and a WOMAN'S bag", "A black shirt and a bag"),
        ("The dark skinned guy walks", "The person walks"),
        ("Two men,  a black-haired girl", "Two people, a black-haired person"),
        ("white shirt, black pants", "White shirt, black pants"),
        ("", ""),
    ],
)
def test_nothing_is_left_of_who_somebody_is(text: str, expected: str) -> None:
    assert neutral(text) == expected
    assert is_neutral(neutral(text))


@pytest.mark.parametrize("text", ["an Asian person", "his coat", "a teenager", "The boys"])
def test_such_words_are_found(text: str) -> None:
    assert not is_neutral(text)


def test_what_sounds_alike_stays() -> None:
    text = "A batman logo, the other mannequin, chinos"
    assert neutral(text) == text
    assert is_neutral(text)


@pytest.mark.parametrize(
    ("bgr", "name"),
    [
        ((10, 10, 10), "black"),
        ((235, 235, 235), "white"),
        ((120, 120, 120), "grey"),
        ((20, 20, 190), "red"),
        ((0, 130, 255), "orange"),
        ((40, 220, 240), "yellow"),
        ((50, 150, 40), "green"),
        ((170, 70, 30), "blue"),
        ((160, 40, 120), "purple"),
        ((190, 150, 250), "pink"),
        ((40, 70, 110), "brown"),
    ],
)
def test_each_basic_colour_has_its_name(bgr: tuple[int, int, int], name: str) -> None:
    pixels = np.full((400, 3), bgr, np.uint8)
    assert colour_name(pixels) == name
    assert colour_shares(pixels)[COLOURS.index(name)] == 1


def test_a_garment_of_many_colours_has_a_shade_or_none() -> None:
    dark = np.array([(60, 20, 20), (20, 20, 60), (20, 50, 20), (30, 30, 30)] * 100, np.uint8)
    assert colour_name(dark) in {"dark", "black"}
    mixed = np.array([(200, 20, 20), (20, 20, 200), (20, 200, 20), (250, 250, 250)] * 100, np.uint8)
    assert colour_name(mixed) is None


def test_a_few_pixels_have_no_colour() -> None:
    assert colour_name(np.full((149, 3), 10, np.uint8)) is None
    assert colour_name(np.full((150, 3), 10, np.uint8)) == "black"
    assert colour_name(np.zeros((0, 3), np.uint8)) is None


def test_colours_are_those_of_the_garments_alone() -> None:
    image = np.full((256, 128, 3), (50, 150, 40), np.uint8)
    parts = np.zeros((256, 128), np.int8)
    parts[60:120, 40:90], parts[120:220, 40:90] = 2, 3
    image[parts == 2], image[parts == 3] = (20, 20, 190), (10, 10, 10)
    seen = seen_colours(LabelledPicture(image, (parts > 0).astype(np.int8), parts))
    assert (seen.upper, seen.lower) == ("red", "black")


def test_most_pictures_of_a_person_decide() -> None:
    red, blue = Clothes(upper="red", bag=True), Clothes(upper="blue")
    assert agreed_clothes([red, red, blue, Clothes()]) == replace(red, bag=True)
    assert agreed_clothes([red, blue]).upper is None
    assert agreed_clothes([]) == Clothes()


def test_sentences_of_training_and_test_share_none() -> None:
    clothes = Clothes("red", "dark", True, True, bag=True, backpack=True, hat=True)
    rng = np.random.default_rng(0)
    train = {sentence(clothes, "train", rng) for _ in range(300)}
    test = {sentence(clothes, "test", rng) for _ in range(300)}
    assert not train & test
    assert len(train) > 100
    assert all(one is not None and "red" in one.lower() and is_neutral(one) for one in train | test)


def test_what_is_not_there_is_not_said() -> None:
    clothes = Clothes("white", "blue", long_sleeves=False, bag=False, backpack=False, hat=False)
    rng = np.random.default_rng(0)
    said = " ".join(
        str(sentence(clothes, use, rng)) for use in ("train", "test") for _ in range(50)
    )
    assert not any(word in said for word in ("bag", "hat", "cap", "pack", "long-sleeved"))
    assert sentence(Clothes(), "train", rng) is None


def attributes(path: Path, **changed: int) -> None:
    names = "backpack bag handbag clothes down up hat upred upgray downblack gender age".split()
    # Two people: of one alone MATLAB's format keeps no list.
    part = {name: [changed.get(name, 1), 1] for name in names}
    savemat(
        path / "market_attribute.mat",
        {
            "market_attribute": {
                p: {**part, "image_index": ["0007", "0010"]} for p in ("train", "test")
            }
        },
    )


def test_attributes_of_market1501(tmp_path: Path) -> None:
    attributes(tmp_path, upgray=2, backpack=2, handbag=2, up=2, clothes=2)
    assert read_attributes(tmp_path)[7] == Clothes(
        "grey", None, False, True, skirt=False, bag=True, backpack=True, hat=False
    )


def test_two_colours_of_a_garment_are_none(tmp_path: Path) -> None:
    attributes(tmp_path, upgray=2, upred=2)
    assert read_attributes(tmp_path)[7].upper is None


def test_attributes_that_are_missing_or_others_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"market_attribute\.mat is missing"):
        read_attributes(tmp_path)
    savemat(tmp_path / "market_attribute.mat", {"other": 1})
    with pytest.raises(ValueError, match="does not hold"):
        read_attributes(tmp_path)
    (tmp_path / "market_attribute.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(ValueError, match="does not hold"):
        read_attributes(tmp_path)
