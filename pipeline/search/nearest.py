"""Exact search: a few products of vectors with all the vectors of a run.

Products are made in half precision, as the vectors are stored, which is several times as fast as
converting them. What they find is compared again in single precision.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pipeline.run_directory.vectors import Matrix

Vectors = NDArray[np.float32]

# 16 MB of 512 numbers each.
_AT_ONCE = 16_384
# More wait for the memory.
_WORKERS = 2


def products(matrices: Iterable[Matrix], queries: Vectors) -> Vectors:
    """The products ``(N, Q)`` of all rows ``(n, D)`` of ``matrices`` with ``queries`` ``(Q, D)``.

    They are right to 0.002.
    """
    # Imported here because it takes seconds, and a run is also served without a search.
    import torch

    wanted = torch.from_numpy(queries.astype(np.float16).T.copy())

    def of(rows: Matrix) -> Vectors:
        with torch.inference_mode():
            found: Vectors = (torch.from_numpy(rows) @ wanted).float().numpy()
        return found

    with ThreadPoolExecutor(_WORKERS) as workers:
        parts = list(workers.map(of, _blocks(matrices)))
    return np.concatenate([np.zeros((0, len(queries)), np.float32), *parts])


def rows_at(matrices: Iterable[Matrix], indices: NDArray[np.int64]) -> Vectors:
    """The rows ``(n, D)`` float32 at sorted ``indices`` ``(n,)`` of all ``matrices`` together."""
    found, before = [], 0
    for matrix in matrices:
        first, last = np.searchsorted(indices, (before, before + len(matrix)))
        found.append(matrix[indices[first:last] - before].astype(np.float32))
        before += len(matrix)
    return np.concatenate(found) if found else np.zeros((0, 0), np.float32)


def _blocks(matrices: Iterable[Matrix]) -> Iterator[Matrix]:
    for matrix in matrices:
        for first in range(0, len(matrix), _AT_ONCE):
            yield matrix[first : first + _AT_ONCE]
