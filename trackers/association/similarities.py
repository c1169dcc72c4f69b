"""One set of exemplars against many galleries, in one multiplication."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


def similarities(
    query: NDArray[np.float32],
    query_weights: NDArray[np.float32],
    galleries: Sequence[NDArray[np.float32]],
) -> list[float | None]:
    """What `similarity` says of ``query`` and each of ``galleries``, in their order."""
    sizes = [len(gallery) for gallery in galleries]
    found: list[float | None] = [None] * len(galleries)
    some = [number for number, size in enumerate(sizes) if size]
    if not some or not len(query):
        return found
    # The cosines are joined, not the galleries: these are large to copy.
    cosines = np.concatenate([query @ galleries[number].T for number in some], axis=1)
    firsts = [0, *accumulate(sizes[number] for number in some[:-1])]
    best = np.maximum.reduceat(cosines, firsts, axis=1)
    weights = np.maximum(query_weights, 1e-3)
    for number, cosine in zip(some, (weights / weights.sum()) @ best, strict=True):
        found[number] = float(cosine)
    return found
