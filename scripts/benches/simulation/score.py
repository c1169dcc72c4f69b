"""IDF1 of identities against the simulated people, weighted by the duration of tracks."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

Ints = NDArray[np.int64]


def idf1(person: Ints, identity: Ints, seconds: NDArray[np.float64]) -> float:
    """IDF1 of tracks: ``person``, assigned ``identity`` (-1: none) and ``seconds``, ``(T,)`` each.

    Every person is matched to at most one identity so that the matched seconds are maximal
    (Ristani et al., Performance Measures and a Data Set for Multi-Target Multi-Camera Tracking,
    2016); IDF1 is twice these divided by the seconds of all people and of all identities.
    """
    known = identity >= 0
    predicted = float(seconds[known].sum())
    if predicted == 0:
        return 0.0
    agreed = _agreed(person[known], identity[known], seconds[known])
    return 2 * agreed / (float(seconds.sum()) + predicted)


def _agreed(person: Ints, identity: Ints, seconds: NDArray[np.float64]) -> float:
    people, rows = np.unique(person, return_inverse=True)
    identities, columns = np.unique(identity, return_inverse=True)
    together = coo_array((seconds, (rows, columns)), (len(people), len(identities)))
    together.sum_duplicates()
    # A person may also stay unmatched, at a cost above that of any match.
    alone = together.data.max() + 1.0
    costs = coo_array(
        (
            np.concatenate([alone - together.data, np.full(len(people), alone)]),
            (
                np.concatenate([together.coords[0], np.arange(len(people))]),
                np.concatenate([together.coords[1], len(identities) + np.arange(len(people))]),
            ),
        ),
        (len(people), len(identities) + len(people)),
    ).tocsr()
    matched = min_weight_full_bipartite_matching(costs)
    return float(len(people) * alone - costs[matched].sum())
