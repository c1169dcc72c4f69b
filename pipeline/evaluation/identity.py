"""The true positives of identity measures (Ristani et al. 2016)."""

import numpy as np
from scipy.sparse import coo_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from pipeline.evaluation.overlaps import Ints


def identity_matches(truth: Ints, predicted: Ints, boxes: Ints) -> int:
    """How many boxes agree when each true id is given at most one predicted id, at best.

    ``boxes`` ``(P,)`` are the numbers of frames in which two ids overlap enough.
    """
    some = boxes > 0
    if not some.any():
        return 0
    rows = np.unique(truth[some], return_inverse=True)[1]
    columns = np.unique(predicted[some], return_inverse=True)[1]
    people = int(rows.max()) + 1
    # Every true id may also stay alone. The one more, of a sparse matrix's entries, is subtracted.
    alone = coo_array((np.ones(people), (np.arange(people), np.arange(people))))
    pairs = coo_array((boxes[some] + 1.0, (rows, columns)))
    full = hstack([pairs, alone]).tocsr()
    matched = min_weight_full_bipartite_matching(full, maximize=True)
    return int(full[matched].sum()) - people
