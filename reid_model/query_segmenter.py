"""FusionSegReID as its paper has it: an interface for those who have the model that it takes.

The paper (arXiv 2503.21595, later PS-ReID) asks a large vision-language model with a segmenter in
the manner of LISA (Lai et al., CVPR 2024) where in a whole picture the person of a query is. That
takes a language model of billions of parameters and a graphics processor. Whoever has both writes a
class with the method of `QuerySegmenter`; `crop_of` makes of what it finds a picture to search with
by the compact model in `reid_model.networks.fusion`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """``mask (H, W)`` bool: where in the picture the person is, all False for nowhere. ``vector
    (D,)`` float32, unit: the token that stands for the person, to compare with those of others.
    ``score`` is 0 to 1."""

    mask: NDArray[np.bool_]
    vector: NDArray[np.float32]
    score: float


class QuerySegmenter(Protocol):
    """Finds the person of a query in whole pictures."""

    def find(
        self,
        picture: NDArray[np.uint8],
        person: NDArray[np.uint8] | None,
        words: str | None,
    ) -> Found:
        """Where in ``picture`` ``(H, W, 3)`` uint8 BGR the person is that ``person``, a BGR crop,
        shows and ``words`` describe.

        Raises ValueError with neither of the two.
        """
        ...


def crop_of(picture: NDArray[np.uint8], found: Found) -> NDArray[np.uint8]:
    """The box around the person in ``picture`` ``(H, W, 3)``, a crop as of `Embedder.embed`.

    Raises ValueError where the person is nowhere, and for a mask of another size.
    """
    if found.mask.shape != picture.shape[:2]:
        raise ValueError(
            f"expected a mask of the picture's {picture.shape[:2]}, got {found.mask.shape}"
        )
    rows, columns = (np.flatnonzero(found.mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError("the person of the query is not in the picture")
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
