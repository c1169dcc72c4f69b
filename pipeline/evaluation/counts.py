"""Arrays that are counted into, which grow as more is known."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def grown(values: NDArray[T], length: int, fill: float = 0) -> NDArray[T]:
    """``values``, at least ``length`` long: ``fill`` is added."""
    missing = length - len(values)
    if missing <= 0:
        return values
    return np.concatenate([values, np.full((missing, *values.shape[1:]), fill, values.dtype)])
