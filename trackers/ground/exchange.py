"""Exchange two walkers who meet, at once or some moments later, where all cameras say so together.

Each camera alone sees hardly how far away people are, so that two who pass each other may be taken
for each other in all cameras at once, one confirming the other. Here the boxes of a moment are
judged together: what one camera says of a walker narrows what the next may say. And who is who is
often clear only from how both walk on: for a while the other possibility is followed too, as in
multiple hypothesis tracking (Reid, An algorithm for tracking multiple targets, 1979), with one
alternative for each pair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackers.ground.kalman import (
    Floats,
    Observations,
    Walkers,
    no_walkers,
    pair_costs,
    predicted,
    updated,
)

# Walkers further apart than this are not taken for each other.
_NEAR_M = 1.5
_ROUNDS = 3
# A smaller gain is rounding.
_LEAST_GAIN = 1e-6
# In the unit of `fit_costs`: an alternative that costs so much more is given up, one that costs so
# much less is taken.
_HOPELESS, _CLEAR = 12.0, 2.0
# For this long an alternative is followed: then both walk on alike.
_FOLLOWED_S = 2.0

#: For each camera the box of each walker, a row of its observations, -1 without one: ``(C, W)``.
Rows = NDArray[np.intp]
#: Two walkers each: ``(P, 2)``.
Pairs = NDArray[np.intp]


class Boxes(NamedTuple):
    """The boxes of one moment: ``seen`` by each camera, and whose they are.

    ``extra`` ``(N, W)`` of each camera are costs beside those of `fit_costs`; no box costs more
    than ``most`` for its walker, and one that would is never given to another.
    """

    seen: Sequence[Observations]
    rows: Rows
    extra: Sequence[Floats]
    most: float


def exchanged(walkers: Walkers, boxes: Boxes) -> Rows:
    """``rows`` after the exchanges between two walkers that lower the cost of both together."""
    boxes = boxes._replace(rows=boxes.rows.copy())
    rows = boxes.rows
    pairs = near_pairs(walkers, np.flatnonzero((rows >= 0).any(axis=0)))
    masks = _masks(len(rows))
    for _ in range(_ROUNDS):
        if not len(pairs):
            break
        costs = np.stack([_judged(walkers, boxes, pairs, mask)[0] for mask in masks])
        best = costs.argmin(axis=0)
        gains = costs[0] - costs[best, np.arange(len(pairs))]
        changed: set[int] = set()
        for number in np.argsort(-gains, kind="stable"):
            a, b = pairs[number].tolist()
            if gains[number] > _LEAST_GAIN and not changed & {a, b}:
                mask = masks[best[number]]
                rows[mask, a], rows[mask, b] = rows[mask, b], rows[mask, a]
                changed |= {a, b}
        pairs = pairs[[bool(changed & {*pair}) for pair in pairs.tolist()]]
    return rows


def near_pairs(walkers: Walkers, columns: NDArray[np.intp]) -> Pairs:
    """Pairs of ``columns`` of walkers that are near each other, ``(P, 2)``."""
    places = walkers.states[columns, :2]
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    return np.asarray(columns[np.argwhere(np.triu(apart < _NEAR_M, 1))].reshape(-1, 2))


def _masks(cameras: int) -> NDArray[np.bool_]:
    """In which cameras two walkers exchange their boxes: in none, in each alone, in all."""
    alone = np.eye(cameras, dtype=np.bool_)
    none, every = np.zeros((1, cameras), np.bool_), np.ones((1, cameras), np.bool_)
    return np.concatenate([none, alone, every] if cameras > 1 else [none, alone])


def _judged(
    walkers: Walkers, boxes: Boxes, pairs: Pairs, mask: NDArray[np.bool_]
) -> tuple[Floats, Walkers]:
    """The cost ``(P,)`` of each pair when it exchanges its boxes in the cameras of ``mask``
    ``(C,)``, and both walkers ``2P`` after that."""
    who, other = pairs.T.ravel(), pairs[:, ::-1].T.ravel()
    rows = np.where(mask[:, None], boxes.rows[:, other], boxes.rows[:, who])
    cost, after = _followed(walkers.select(who), boxes, rows, mask)
    for camera, extra in enumerate(boxes.extra):
        its = rows[camera]
        cost[its >= 0] += extra[its[its >= 0], who[its >= 0]]
    return cost.reshape(2, -1).sum(axis=0), after


def _followed(
    walkers: Walkers, boxes: Boxes, rows: Rows, strict: NDArray[np.bool_]
) -> tuple[Floats, Walkers]:
    """The cost ``(N,)`` of ``rows`` ``(C, N)`` for each walker, all cameras together, and the
    walkers after them; infinite where a box costs too much in a camera that is ``strict``."""
    cost = np.zeros(len(walkers))
    for camera, one in enumerate(boxes.seen):
        at = np.flatnonzero(rows[camera] >= 0)
        if len(at):
            found = pair_costs(walkers, one, rows[camera, at], at)
            too_much = np.inf if strict[camera] else boxes.most
            cost[at] += np.where(found < boxes.most, found, too_much)
            walkers = updated(walkers, one, rows[camera, at], at)
    return cost, walkers


@dataclass(slots=True)
class Alternatives:
    """Pairs of walkers who met, as they would be if they had been taken for each other.

    ``numbers`` ``(K, 2)`` are those of the walkers, ``since`` ``(K,)`` the moment from which on
    they would be exchanged, seconds UTC, ``excess`` ``(K,)`` what that costs more so far.
    ``walkers`` ``2K`` are the first of each pair with the boxes of the second, then the second with
    those of the first.
    """

    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    since: Floats = field(default_factory=lambda: np.zeros(0))
    excess: Floats = field(default_factory=lambda: np.zeros(0))
    walkers: Walkers = field(default_factory=no_walkers)

    def __len__(self) -> int:
        return len(self.numbers)

    def predict(self, seconds: float) -> None:
        """Predict the walkers ``seconds`` later."""
        self.walkers = predicted(self.walkers, seconds)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Keep only these, ``(K,)``."""
        self.numbers, self.since = self.numbers[kept], self.since[kept]
        self.excess = self.excess[kept]
        self.walkers = self.walkers.select(np.tile(kept, 2))

    def update(
        self, time: float, walkers: Walkers, columns: Mapping[int, int], boxes: Boxes
    ) -> None:
        """Follow all with the boxes of a moment, and begin those of the pairs that are near.

        ``walkers`` are those before the boxes, ``columns`` by number those that may be exchanged.
        """
        there = [a in columns and b in columns for a, b in self.numbers.tolist()]
        fresh = time - self.since <= _FOLLOWED_S
        self.keep(np.array(there, np.bool_) & fresh & (self.excess < _HOPELESS))
        self._follow(walkers, columns, boxes)
        self._begin(time, walkers, columns, boxes)

    def clear(self) -> list[int]:
        """Those that are clearly likelier than what was taken, the clearest first."""
        found: list[int] = []
        taken: set[int] = set()
        for number in np.argsort(self.excess, kind="stable").tolist():
            pair = {*self.numbers[number].tolist()}
            if self.excess[number] < -_CLEAR and not taken & pair:
                found.append(number)
                taken |= pair
        return found

    def _follow(self, walkers: Walkers, columns: Mapping[int, int], boxes: Boxes) -> None:
        if not len(self):
            return
        pairs = np.array([[columns[a], columns[b]] for a, b in self.numbers.tolist()], np.intp)
        who, other = pairs.T.ravel(), pairs[:, ::-1].T.ravel()
        lenient = np.zeros(len(boxes.rows), np.bool_)
        now, _ = _followed(walkers.select(who), boxes, boxes.rows[:, who], lenient)
        then, self.walkers = _followed(self.walkers, boxes, boxes.rows[:, other], lenient)
        self.excess = self.excess + (then - now).reshape(2, -1).sum(axis=0)

    def _begin(
        self, time: float, walkers: Walkers, columns: Mapping[int, int], boxes: Boxes
    ) -> None:
        """A pair that costs less exchanged from now on than since before is exchanged from now."""
        # By number, so that a pair keeps its order.
        by_number = np.array([columns[number] for number in sorted(columns)], np.intp)
        some_box = (boxes.rows[:, by_number] >= 0).any(axis=0)
        pairs = near_pairs(walkers, by_number[some_box])
        if not len(pairs):
            return
        none = np.zeros(len(boxes.rows), np.bool_)
        excess, after = _judged(walkers, boxes, pairs, ~none)
        excess = excess - _judged(walkers, boxes, pairs, none)[0]
        number_of = {column: number for number, column in columns.items()}
        names = [(number_of[a], number_of[b]) for a, b in pairs.tolist()]
        known = dict(zip(map(tuple, self.numbers.tolist()), self.excess.tolist(), strict=True))
        better = np.array([excess[k] < known.get(n, _HOPELESS) for k, n in enumerate(names)], bool)
        rows = np.flatnonzero(better)
        new = Alternatives(
            np.array(names, np.int64)[rows],
            np.full(len(rows), time),
            excess[rows],
            after.select(np.concatenate([rows, rows + len(pairs)])),
        )
        replaced = {names[row] for row in rows.tolist()}
        self.keep(np.array([(a, b) not in replaced for a, b in self.numbers.tolist()], np.bool_))
        self._add(new)

    def _add(self, more: "Alternatives") -> None:
        firsts, seconds = (self._half(half).with_more(more._half(half)) for half in (0, 1))
        self.numbers = np.concatenate([self.numbers, more.numbers])
        self.since = np.concatenate([self.since, more.since])
        self.excess = np.concatenate([self.excess, more.excess])
        self.walkers = firsts.with_more(seconds)

    def _half(self, half: int) -> Walkers:
        """The first walkers of the pairs, or the second."""
        return self.walkers.select(np.arange(len(self)) + half * len(self))
