"""Mean embeddings by name, and the nearest of them to others."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import mean_embedding

_FIRST_ROWS = 64


class NearestEmbeddings:
    """Mean embeddings by name, to find the nearest. Nothing is computed before a query."""

    def __init__(self) -> None:
        self._changed: dict[int, NDArray[np.float32]] = {}
        self._row: dict[int, int] = {}
        self._names: list[int] = []
        self._embeddings = np.zeros((0, 0), np.float32)

    def put(self, name: int, exemplars: NDArray[np.float32]) -> None:
        """Set the exemplars ``(K, D)`` of this name."""
        if len(exemplars):
            self._changed[name] = exemplars

    def drop(self, name: int) -> None:
        """Remove this name, if it is there."""
        self._changed.pop(name, None)
        row = self._row.pop(name, None)
        if row is None:
            return
        last = self._names.pop()
        if last != name:
            self._names[row], self._row[last] = last, row
            self._embeddings[row] = self._embeddings[len(self._names)]

    def most(self, exemplars: NDArray[np.float32], count: int) -> Iterable[int]:
        """The names of the ``count`` nearest to exemplars ``(K, D)``; none without exemplars."""
        self._apply_changes()
        if not len(exemplars) or len(self._names) <= count:
            return self._names if len(exemplars) else ()
        cosines = self._embeddings[: len(self._names)] @ mean_embedding(exemplars)
        return [self._names[row] for row in np.argpartition(-cosines, count)[:count]]

    def _apply_changes(self) -> None:
        for name, exemplars in self._changed.items():
            row = self._row.setdefault(name, len(self._names))
            if row == len(self._names):
                self._names.append(name)
            if row == len(self._embeddings):
                more = np.zeros((max(2 * row, _FIRST_ROWS), exemplars.shape[1]), np.float32)
                more[:row] = self._embeddings if row else more[:0]
                self._embeddings = more
            self._embeddings[row] = mean_embedding(exemplars)
        self._changed.clear()
