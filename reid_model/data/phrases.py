"""Sentences about what is visible of a person, phrased as in a search; some only for tests."""

from collections.abc import Callable
from typing import Literal

from numpy.random import Generator

from reid_model.data.clothes import Clothes

Use = Literal["train", "test"]

#: Nouns of garments, for long and for short; the last of each are kept for the test.
_UPPER = {
    True: ("long-sleeved top", "long-sleeved shirt", "jacket", "sweater"),
    False: ("t-shirt", "short-sleeved shirt", "short-sleeved top", "tee"),
    None: ("top", "shirt", "upper garment", "garment above"),
}
_LOWER = {
    True: ("trousers", "pants", "long trousers", "slacks"),
    False: ("shorts", "short trousers", "short pants", "knee-length shorts"),
    None: ("trousers", "pants", "legwear", "bottoms"),
}
_SKIRT = ("skirt", "dress", "short skirt", "skirt or dress")
_CARRIED = {
    "backpack": ("a backpack", "a rucksack", "a bag on the back", "a knapsack"),
    "bag": ("a bag", "a handbag", "a shoulder bag", "a bag in hand or on the shoulder"),
    "hat": ("a hat", "a cap", "headwear", "something on the head"),
}
_HELD_OUT = 1


def sentence(clothes: Clothes, use: Use, rng: Generator) -> str | None:
    """One sentence, drawn by chance from those of training or of test; None with nothing to say.

    Only what is there is named: a search does not say what is missing.
    """
    upper = _garment(clothes.upper, _UPPER[clothes.long_sleeves], use, rng)
    nouns = _SKIRT if clothes.skirt and not clothes.long_legs else _LOWER[clothes.long_legs]
    lower = _garment(clothes.lower, nouns, use, rng)
    carried = [
        _drawn(words, use, rng) for name, words in _CARRIED.items() if getattr(clothes, name)
    ]
    if clothes.upper is None and clothes.lower is None and not carried:
        return None
    patterns = _PATTERNS[use]
    return patterns[int(rng.integers(len(patterns)))](upper, lower, carried)


def _drawn(words: tuple[str, ...], use: Use, rng: Generator) -> str:
    some = words[:-_HELD_OUT] if use == "train" else words
    return some[int(rng.integers(len(some)))]


def _garment(colour: str | None, nouns: tuple[str, ...], use: Use, rng: Generator) -> str:
    noun = _drawn(nouns, use, rng)
    return noun if colour is None else f"{colour} {noun}"


def _listed(things: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def _article(words: str) -> str:
    plural = words.endswith(("s", "wear")) and not words.endswith("dress")
    return words if plural else f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _plain(upper: str, lower: str, carried: list[str]) -> str:
    return ", ".join([upper, lower, *carried])


def _wearing(upper: str, lower: str, carried: list[str]) -> str:
    worn = f"A person wearing {_article(upper)} and {_article(lower)}"
    return f"{worn}, with {_listed(carried)}." if carried else f"{worn}."


def _with(upper: str, lower: str, carried: list[str]) -> str:
    return f"Someone with {_listed([_article(upper), _article(lower), *carried])}"


def _wears(upper: str, lower: str, carried: list[str]) -> str:
    worn = f"The person wears {_article(upper)} with {_article(lower)}."
    return f"{worn} They carry or wear {_listed(carried)}." if carried else worn


def _in(upper: str, lower: str, carried: list[str]) -> str:
    return _listed([f"person in {_article(upper)}", _article(lower), *carried])


def _backwards(upper: str, lower: str, carried: list[str]) -> str:
    return f"{_listed([*carried, _article(lower)])}; above {_article(upper)}".capitalize()


def _looking_for(upper: str, lower: str, carried: list[str]) -> str:
    return (
        f"looking for somebody dressed in {_listed([_article(upper), _article(lower), *carried])}"
    )


def _dressed(upper: str, lower: str, carried: list[str]) -> str:
    return f"{_article(upper)} over {_article(lower)}" + "".join(f", {one}" for one in carried)


def _asked(upper: str, lower: str, carried: list[str]) -> str:
    """As a question to others."""
    worn = f"Has anyone seen a pedestrian clothed in {_article(upper)} with {_article(lower)}"
    return f"{worn} and {_listed(carried)}?" if carried else f"{worn}?"


def _find(upper: str, lower: str, carried: list[str]) -> str:
    return f"find the one in {_listed([_article(upper), _article(lower), *carried])}"


def _labelled(upper: str, lower: str, carried: list[str]) -> str:
    carries = f", carries: {_listed(carried)}" if carried else ""
    return f"upper: {upper}, lower: {lower}{carries}"


def _below_first(upper: str, lower: str, carried: list[str]) -> str:
    return ", ".join([f"{_article(lower)} and {_article(upper)}", *carried])


_Pattern = Callable[[str, str, list[str]], str]
_PATTERNS: dict[Use, tuple[_Pattern, ...]] = {
    "train": (
        *(_plain, _wearing, _with, _wears, _in, _backwards),
        *(_asked, _find, _labelled, _below_first),
    ),
    "test": (_looking_for, _dressed),
}
