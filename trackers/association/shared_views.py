"""Which cameras see one place, learned while running from how people move in both."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from trackers.association.motion import overlap_in_time
from trackers.association.view_map import ViewMap, fit_map, tells_place
from trackers.tracklet import GROUND, Tracklet

#: Two cameras, in order of their names.
Pair = tuple[str, str]

# On a site of up to this many cameras, all pairs are tried; else those that saw a person at once.
_ALL_CAMERAS = 8
# A pair of cameras is tried after this many seconds, and then after twice as many, up to the most.
_FIRST_S, _MOST_S = 20.0, 960.0
# Not more often than this, so that it costs little on any site; the second on a large one.
_EVERY_S, _EVERY_LARGE_S = 5.0, 30.0
# Tracklets that ended longer ago are left out, and of a camera at most this many are used.
_RECENT_S, _USED = 600.0, 24
# At the end of a recording of a large site this many pairs are tried.
_MOST_PAIRS = 50
# After this many tracklets that could have confirmed it, a map that is not found again is dropped.
_MANY = 12


class SharedViews:
    """Maps between the pictures of cameras that see one place; see `view_map`.

    ``changed`` is called when the pairs with a map change. Pairs of cameras that cannot see one
    place by ``possible`` are not tried.
    """

    def __init__(
        self,
        changed: Callable[[set[Pair]], None],
        possible: Callable[[str, str], bool] = lambda _a, _b: True,
    ) -> None:
        self._changed = changed
        self._possible = possible
        self._maps: dict[Pair, ViewMap] = {}
        # When a pair is tried next, and the seconds after which it is tried again.
        self._due: dict[Pair, tuple[float, float]] = {}
        self._next = -np.inf

    def evidence(self, tracklet: Tracklet, others: Iterable[Tracklet]) -> float:
        """Log-odds from place that ``tracklet`` shows the person of ``others``.

        The mean over those that another camera saw at the same time in the same place.
        """
        if not self._maps:
            return 0.0
        return mean_of_known(self.of_pair(tracklet, other) for other in others)

    def may_tell(self, tracklet: Tracklet, last_seen: float) -> bool:
        """Whether `evidence` may be other than 0 for a person who was last seen at this moment."""
        return bool(self._maps) and last_seen >= tracklet.start

    def of_pair(self, a: Tracklet, b: Tracklet) -> float:
        """The same of two tracklets; 0 when nothing is known."""
        if a.camera_id > b.camera_id:
            a, b = b, a
        known = self._maps.get((a.camera_id, b.camera_id))
        if known is None or not overlap_in_time(a, b):
            return 0.0
        return known.evidence(a, b)

    def learn(
        self,
        at: float,
        cameras: Collection[str],
        seen_by: Callable[[str], Iterable[Tracklet]],
    ) -> None:
        """Try the pair of cameras that is due at the moment ``at``, if any.

        ``seen_by`` gives the tracklets of a camera.
        """
        if at < self._next and len(cameras) > _ALL_CAMERAS + 1:
            return
        pair = self._due_pair(at, sorted({*cameras} - {GROUND}))
        if pair is not None:
            both = (t for camera_id in pair for t in seen_by(camera_id))
            recent = [t for t in both if t.end >= at - _RECENT_S]
            self._try(pair, recent)

    def learn_all(self, cameras: Iterable[str], tracklets: Iterable[Tracklet]) -> None:
        """Try all pairs of cameras, with all tracklets."""
        known = sorted({*cameras} - {GROUND})
        # On a large site only those that have not been tried for longest.
        late = sorted(self._due, key=lambda pair: (self._due[pair][0], pair))[:_MOST_PAIRS]
        pairs = combinations(known, 2) if len(known) <= _ALL_CAMERAS else late
        some = list(tracklets)
        for pair in pairs:
            if self._possible(*pair):
                self._try(pair, some)

    def add(self, tracklet: Tracklet, others: Iterable[Tracklet]) -> None:
        """Add a tracklet of the person of ``others``: cameras that saw one person at once are
        tried on a large site too."""
        for other in others:
            if tracklet.camera_id != other.camera_id and overlap_in_time(tracklet, other):
                a, b = sorted((tracklet.camera_id, other.camera_id))
                if GROUND not in (a, b) and self._possible(a, b):
                    self._due.setdefault((a, b), (-np.inf, _FIRST_S))

    def memory(self) -> dict[str, Any]:
        """Everything that was learned, as numbers, text and bytes."""
        return {
            "next": self._next,
            "due": [[*pair, due, wait_s] for pair, (due, wait_s) in sorted(self._due.items())],
            "maps": [
                [*pair, one.matrix.tobytes(), one.here.tobytes(), one.there.tobytes()]
                for pair, one in sorted(self._maps.items())
            ],
        }

    def remember(self, memory: dict[str, Any]) -> None:
        """Restore what `memory` returned."""
        self._next = memory["next"]
        self._due = {(a, b): (due, wait_s) for a, b, due, wait_s in memory["due"]}
        self._maps = {
            (a, b): ViewMap(
                np.frombuffer(matrix).reshape(3, 3), np.frombuffer(here), np.frombuffer(there)
            )
            for a, b, matrix, here, there in memory["maps"]
        }
        self._changed({*self._maps})

    def _due_pair(self, at: float, cameras: Sequence[str]) -> Pair | None:
        if len(cameras) <= _ALL_CAMERAS:
            for pair in combinations(cameras, 2):
                if self._possible(*pair):
                    self._due.setdefault(pair, (at + _FIRST_S, _FIRST_S))
        if at < self._next:
            return None
        due = [(due, pair) for pair, (due, _) in self._due.items() if due <= at]
        if not due:
            return None
        self._next = at + (_EVERY_S if len(cameras) <= _ALL_CAMERAS else _EVERY_LARGE_S)
        _, pair = min(due)
        wait_s = self._due[pair][1]
        self._due[pair] = at + wait_s, min(2 * wait_s, _MOST_S)
        return pair

    def _try(self, pair: Pair, tracklets: Sequence[Tracklet]) -> None:
        here, there = (_most_telling(tracklets, camera_id) for camera_id in pair)
        found = fit_map(here, there)
        if found is not None:
            self._maps[pair] = found
        elif min(len(here), len(there)) >= _MANY:
            self._maps.pop(pair, None)
        self._changed({*self._maps})


def mean_of_known(evidence: Iterable[float]) -> float:
    """The mean of all that is not 0, which is no evidence and must not hide another; 0 for none."""
    known = [one for one in evidence if one != 0]
    return sum(known) / len(known) if known else 0.0


def _most_telling(tracklets: Sequence[Tracklet], camera_id: str) -> list[Tracklet]:
    here = [(tells_place(t), t) for t in tracklets if t.camera_id == camera_id]
    telling = sorted((-much, t.key) for much, t in here if much)[:_USED]
    keys = {key for _, key in telling}
    return sorted((t for _, t in here if t.key in keys), key=lambda t: t.key)
