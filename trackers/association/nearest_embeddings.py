"""The most alike of many, found fast by their mean looks: to be looked at closer."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 64


def mean_look(exemplars: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(D,)``, the unit vector amid ``(K, D)`` of them, K at least 1."""
    mean = exemplars.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)


class Lookalikes:
    """The looks of people by their global id. Nothing is computed before it is asked for."""

    def __init__(self) -> None:
        self._changed: dict[int, NDArray[np.float32]] = {}
        self._row: dict[int, int] = {}
        self._names: list[int] = []
        self._looks = np.zeros((0, 0), np.float32)

    def put(self, name: int, exemplars: NDArray[np.float32]) -> None:
        """``(K, D)`` exemplars in place of those known by this name."""
        if len(exemplars):
            self._changed[name] = exemplars

    def drop(self, name: int) -> None:
        """Leave out what may be known by this name."""
        self._changed.pop(name, None)
        row = self._row.pop(name, None)
        if row is None:
            return
        last = self._names.pop()
        if last != name:
            self._names[row], self._row[last] = last, row
            self._looks[row] = self._looks[len(self._names)]

    def most(self, exemplars: NDArray[np.float32], count: int) -> Iterable[int]:
        """The names of the ``count`` that are most like ``(K, D)`` exemplars; none for none."""
        self._take_changed()
        if not len(exemplars) or len(self._names) <= count:
            return self._names if len(exemplars) else ()
        cosines = self._looks[: len(self._names)] @ mean_look(exemplars)
        return [self._names[row] for row in np.argpartition(-cosines, count)[:count]]

    def _take_changed(self) -> None:
        for name, exemplars in self._changed.items():
            row = self._row.setdefault(name, len(self._names))
            if row == len(self._names):
                self._names.append(name)
            if row == len(self._looks):
                more = np.zeros((max(2 * row, _FIRST_ROWS), exemplars.shape[1]), np.float32)
                more[:row] = self._looks if row else more[:0]
                self._looks = more
            self._looks[row] = mean_look(exemplars)
        self._changed.clear()
