"""What is declined, and what only sounds like it."""

import pytest

from pipeline.errors import UserError
from pipeline.search.declined import about, check_allowed, declined_word


@pytest.mark.parametrize(
    ("text", "word", "subject"),
    [
        ("a woman in a red jacket", "woman", "gender"),
        ("MAN with a backpack", "man", "gender"),
        ("she wears a hat", "she", "gender"),
        ("the man's face", "man's", "gender"),
        ("an old person in a coat", "old", "age"),
        ("children in red", "children", "age"),
        ("middle-aged, blue jeans", "middle-aged", "age"),
        ("red jacket, 20 years old", "old", "age"),
        ("asian", "asian", "ethnicity"),
        ("asian person, jacket", "asian", "ethnicity"),
        ("a black person", "black", "ethnicity"),
        ("two whites", "whites", "ethnicity"),
        ("dark-skinned, white shirt", "dark-skinned", "ethnicity"),
        ("somebody with dark skin", "skin", "ethnicity"),
        ("a person of colour", "colour", "ethnicity"),
        ("angry person in a white shirt", "angry", "what people feel or are like"),
        ("looks suspicious", "suspicious", "what people feel or are like"),
    ],
)
def test_what_people_are_is_declined_by_the_word(text: str, word: str, subject: str) -> None:
    assert declined_word(text) == word
    assert about(word) == subject
    with pytest.raises(UserError, match=f"declined because of .*{subject}.*never inferred"):
        check_allowed(text)


@pytest.mark.parametrize(
    "text",
    [
        "white shirt",
        "black shoes",
        "person in black, with a white bag",
        "white",
        "a black and white striped shirt",
        "man-made leather bag",
        "Chinese restaurant sign on the shirt",
        "an old brown coat",
        "men's jacket",
        "baby blue shirt",
        "African print dress",
        "skin-tight jeans",
        "red jacket, dark trousers, backpack",
        "person pushing a bike, yellow helmet",
        "",
    ],
)
def test_clothes_and_things_are_not_declined(text: str) -> None:
    assert declined_word(text) is None
    check_allowed(text)
