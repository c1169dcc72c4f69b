"""A common baseline: cluster all recent tracklets every few seconds.

Average-linkage agglomerative clustering by the cosine distance of mean embeddings; simultaneous
tracks of the same camera are never merged. A cluster keeps the id that most of its tracks had.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from trackers.association.association import Decision
from trackers.tracklet import Tracklet, TrackletKey

EVERY_S = 5.0
WINDOW_S = 120.0
# Cosine distance above which clusters are different people: the best of 0.5, 0.55 and 0.6 by mean
# IDF1 on simulated sites of 10, 30 and 100 cameras.
_THRESHOLD = 0.55
_NEVER = 10.0


class Clustering:
    """Associates tracklets by clustering, with the interface of `Association`."""

    def __init__(self, threshold: float = _THRESHOLD) -> None:
        self._threshold = threshold
        self._recent: dict[TrackletKey, Tracklet] = {}
        self._ids: dict[TrackletKey, int] = {}
        self._next_id = 1
        self._due = EVERY_S

    def observe(self, tracklet: Tracklet) -> None:
        """Add or replace a tracklet."""
        self._recent[tracklet.key] = tracklet

    def decide(self, at: float) -> list[Decision]:
        """Cluster if it is due; returns the tracks whose id has changed."""
        if at < self._due:
            return []
        self._due = at + EVERY_S
        tracklets = [self._recent[key] for key in sorted(self._recent)]
        decisions = []
        for members in average_linkage(tracklets, self._threshold):
            known = Counter(self._ids[key] for key in members if key in self._ids)
            global_id = max(known, key=lambda i: (known[i], -i)) if known else self._next_id
            self._next_id = max(self._next_id, global_id + 1)
            changed = [key for key in members if self._ids.get(key) != global_id]
            self._ids |= dict.fromkeys(changed, global_id)
            decisions += [Decision(key, global_id, 1.0, "assigned", "cluster") for key in changed]
        return decisions

    def finish(self) -> list[Decision]:
        """No further decisions."""
        return []

    def forget(self, at: float) -> list[TrackletKey]:
        """Remove the tracklets that have left the window."""
        gone = [key for key, known in self._recent.items() if known.end < at - WINDOW_S]
        for key in gone:
            del self._recent[key]
            self._ids.pop(key, None)
        return gone


def average_linkage(tracklets: list[Tracklet], threshold: float) -> list[list[TrackletKey]]:
    """Clusters of tracklets with exemplars, cut at a cosine distance."""
    if len(tracklets) < 2:
        return [[tracklet.key] for tracklet in tracklets]
    tree = linkage(squareform(_distances(tracklets), checks=False), "average")
    clusters: dict[int, list[TrackletKey]] = {}
    for tracklet, label in zip(tracklets, fcluster(tree, threshold, "distance"), strict=True):
        clusters.setdefault(int(label), []).append(tracklet.key)
    return list(clusters.values())


def _distances(tracklets: list[Tracklet]) -> NDArray[np.float32]:
    means = np.stack([tracklet.exemplars.mean(axis=0) for tracklet in tracklets])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    distances = np.maximum(1 - means @ means.T, 0)
    cameras = np.unique([tracklet.camera_id for tracklet in tracklets], return_inverse=True)[1]
    starts = np.array([tracklet.start for tracklet in tracklets])
    ends = np.array([tracklet.end for tracklet in tracklets])
    together = (starts[:, None] <= ends) & (starts <= ends[:, None])
    distances[together & (cameras[:, None] == cameras)] = _NEVER
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances, np.float32)
