"""The interface of a model that finds the person of a query in whole pictures, implemented."""

from dataclasses import replace

import numpy as np
import pytest

from fakes import BLUE, BOX, RED, scene
from reid_model.query_segmenter import Found, QuerySegmenter, crop_of

OTHER = (10, 10, 40, 150)
COLOURS = {"red": RED, "blue": BLUE}


class OfOneColour:
    """A person is what has the colour that the words name, or else that of the person's crop."""

    def find(self, picture: np.ndarray, person: np.ndarray | None, words: str | None) -> Found:
        named = [COLOURS[word] for word in (words or "").split() if word in COLOURS]
        if not named and person is None:
            raise ValueError("expected words or a picture of the person")
        colour = np.array(named[0] if named else person.reshape(-1, 3).mean(axis=0))
        mask = (picture == colour).all(axis=2)
        vector = (colour / np.linalg.norm(colour)).astype(np.float32)
        return Found(mask, vector, float(mask.any()))


@pytest.fixture
def picture() -> np.ndarray:
    return scene({BOX: RED, OTHER: BLUE})


@pytest.mark.parametrize(
    ("person", "words", "box"),
    [(None, "blue jacket", OTHER), (np.full((9, 4, 3), RED, np.uint8), None, BOX)],
)
def test_who_is_found_is_cut_out_to_be_searched_for(
    picture: np.ndarray, person: np.ndarray | None, words: str | None, box: tuple[int, ...]
) -> None:
    segmenter: QuerySegmenter = OfOneColour()
    found = segmenter.find(picture, person, words)
    x1, y1, x2, y2 = box
    assert np.array_equal(crop_of(picture, found), picture[y1:y2, x1:x2])
    assert found.score == 1.0


def test_nobody_and_another_size_are_refused(picture: np.ndarray) -> None:
    found = OfOneColour().find(picture, None, "red")
    with pytest.raises(ValueError, match="not in the picture"):
        crop_of(picture, replace(found, mask=np.zeros_like(found.mask)))
    with pytest.raises(ValueError, match="expected a mask of the picture"):
        crop_of(picture[1:], found)
