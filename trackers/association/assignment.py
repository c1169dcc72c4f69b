"""One-to-one assignment in which staying alone is always allowed."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

_IMPOSSIBLE = -1e6


def assign(scores: NDArray[np.float64], alone: float) -> list[int | None]:
    """For each row the column it takes, or None when it stays alone.

    ``scores`` is ``(N, M)``, higher is better, -inf is forbidden; ``alone`` is the score of
    staying alone, which a pair must exceed. The sum of scores is the largest possible, and no
    column is taken twice.
    """
    rows, columns = scores.shape
    if not rows or not columns:
        return [None] * rows
    # Each row brings a column of its own that means alone.
    padded = np.full((rows, columns + rows), _IMPOSSIBLE)
    padded[:, :columns] = np.where(scores > alone, scores, _IMPOSSIBLE)
    padded[np.arange(rows), columns + np.arange(rows)] = alone
    _, taken = linear_sum_assignment(padded, maximize=True)
    return [int(column) if column < columns else None for column in taken]
