"""Fakes of the networks of a search: they know the people of `drawn_site` by their jackets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from fakes import Image, found
from pipeline.search.networks import SearchModels
from reid_model.training.fusion_files import WordsFit
from trackers.detections import Detections

#: BGR of jacket and trousers of each person.
CLOTHES = {
    1: ((60, 60, 190), (90, 60, 40)),
    2: ((160, 110, 50), (50, 50, 50)),
    3: ((70, 150, 80), (140, 130, 120)),
    4: ((40, 160, 210), (60, 40, 30)),
    5: ((170, 170, 170), (110, 70, 40)),
}
_WORDS = {"red": 1, "blue": 2, "green": 3, "yellow": 4, "grey": 5}
_OTHER_WORDS = {"jacket", "and", "trousers", "dark", "a", "person", "with"}
# Where the jacket is in a crop.
_JACKET = 0.4


def look_of(person: int) -> list[float]:
    """The embedding of a person, which is also the vector of the words for the jacket."""
    return [float(person == one) for one in CLOTHES]


class _Detector:
    """All of a picture is a person."""

    def detect(self, pictures: Sequence[Image]) -> list[Detections]:
        return [found([(0, 0, one.shape[1], one.shape[0])]) for one in pictures]


class _Embedder:
    """The person whose jacket is in the middle of the crop."""

    dimension = len(CLOTHES)

    def embed(self, crops: list[Image]) -> NDArray[np.float32]:
        return np.array([look_of(_wearer(crop)) for crop in crops], np.float32)


def _wearer(crop: Image) -> int:
    height, width = crop.shape[:2]
    colour = crop[round(_JACKET * height), width // 2].astype(int)
    return min(CLOTHES, key=lambda one: int(abs(colour - CLOTHES[one][0]).sum()))


class _Words:
    """Knows the colours of jackets."""

    calibration = WordsFit(slope=20.0, midpoint=0.5, known=tuple(_WORDS))

    def unknown_words(self, text: str) -> list[str]:
        return [word for word in text.split() if word not in _WORDS.keys() | _OTHER_WORDS]

    def encode_text(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        people = [
            next(_WORDS[word] for word in text.split() if word in _WORDS) for text in sentences
        ]
        return np.array([look_of(one) for one in people], np.float32)


def _named(text: str) -> int:
    return next(_WORDS[word] for word in text.split() if word in _WORDS)


@contextmanager
def drawn_networks() -> Iterator[None]:
    """Search with these networks."""
    fakes: dict[str, Any] = {"_detector": _Detector(), "_embedder": _Embedder(), "_words": _Words()}
    with patch.multiple(SearchModels, **fakes):
        yield
