"""Numbers from 0, without gaps, for ids that come in parts, and arrays with an entry for each."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


class Codes:
    """Gives every id a number, in the order in which the ids come first."""

    def __init__(self) -> None:
        self._ids: Ids = np.zeros(0, np.int64)
        self._codes: Ids = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, ids: Ids) -> Ids:
        """The numbers of ``ids`` ``(N,)``; new ones are added."""
        new = np.setdiff1d(ids, self._ids)
        if len(new):
            known = np.concatenate([self._ids, new])
            codes = np.concatenate([self._codes, np.arange(len(new)) + len(self._ids)])
            order = np.argsort(known)
            self._ids, self._codes = known[order], codes[order]
        return self._codes[np.searchsorted(self._ids, ids)]


def grown(values: NDArray[T], length: int, fill: float = 0) -> NDArray[T]:
    """``values``, at least ``length`` long: ``fill`` is added."""
    missing = length - len(values)
    if missing <= 0:
        return values
    return np.concatenate([values, np.full((missing, *values.shape[1:]), fill, values.dtype)])
