"""A Kalman filter of people walking on the ground, from the boxes of several cameras.

A state is ``(7,)``: x, y (metres), their velocities, the body's height, and the offset of the
swaying body from x and y. A box is observed as its middle across, its foot and its top, in pixels,
with errors in proportion to its height. The extended Kalman filter is the usual one (Bar-Shalom,
Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, 10.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.ground.sides import FOOT, LYING, MIDDLE, TOP
from trackers.ground.view import View, ground_points

Floats = NDArray[np.float64]

# Errors of a box, as parts of its height: the middle across, the foot (often hidden), the top.
# They are correlated over many frames, and therefore larger than measured on single ones.
_BOX_ERRORS = np.array([0.07, 0.12, 0.04])
_UNSEEN = 1e3
# The errors of a box whose middle is not that of the body, or that shows no standing person, are
# this many times larger.
_WIDER = 3.0
# From this squared distance on, in standard deviations, a box counts less: its place is unlikely.
_FAR_OFF = 9.0
_HEIGHT_M, _HEIGHT_SPREAD_M = 1.7, 0.1
_FIRST_SPEED = 1.0
# Standard deviation of the change of speed in one second, metres a second.
_CHANGE_OF_SPEED = 0.8
# Feet step, bodies lean, and boxes of all cameras lean with them.
_SWAY_M = 0.1
_LEAST_M = 0.05
_SIZE = 7
_MOST_OFF = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Boxes of one camera at one moment.

    ``boxes`` is ``(N, 3)`` pixels: middle across, foot, top; ``ground`` ``(N, 2)`` metres under the
    feet, finite; ``errors`` ``(N, 3, 3)`` the covariance of ``boxes``; ``unsure`` ``(N,)`` as of
    `sides.uncertain_sides`.
    """

    view: View
    boxes: Floats
    ground: Floats
    errors: Floats
    unsure: NDArray[np.int64]

    def select(self, rows: NDArray[np.intp]) -> "Observations":
        """The given ``rows``."""
        return Observations(
            self.view, self.boxes[rows], self.ground[rows], self.errors[rows], self.unsure[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Walkers:
    """``states`` ``(N, 7)`` and their covariances ``(N, 7, 7)``."""

    states: Floats
    spreads: Floats

    def __len__(self) -> int:
        return len(self.states)

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Walkers":
        """The given ``rows``."""
        return Walkers(self.states[rows], self.spreads[rows])

    def replaced(self, rows: NDArray[np.intp], others: "Walkers") -> "Walkers":
        """With ``others`` in the place of the given ``rows``."""
        states, spreads = self.states.copy(), self.spreads.copy()
        states[rows], spreads[rows] = others.states, others.spreads
        return Walkers(states, spreads)

    def with_more(self, more: "Walkers") -> "Walkers":
        """These, then the others."""
        return Walkers(
            np.concatenate([self.states, more.states]),
            np.concatenate([self.spreads, more.spreads]),
        )


def no_walkers() -> Walkers:
    """No walkers."""
    return Walkers(np.zeros((0, _SIZE)), np.zeros((0, _SIZE, _SIZE)))


def observations(
    view: View,
    boxes: Floats,
    ground: Floats,
    scale: float = 1.0,
    unsure: NDArray[np.int64] | None = None,
) -> Observations:
    """Boxes ``(N, 3)`` of one camera, with ``scale`` times the usual errors.

    ``unsure`` ``(N,)`` says which sides of them are not those of a standing person, see `sides`.
    """
    heights = np.maximum(boxes[:, 1] - boxes[:, 2], 1.0)
    errors = np.zeros((len(boxes), 3, 3))
    parts = np.where([True, True, view.sees_height], scale * _BOX_ERRORS, _UNSEEN)
    if unsure is None:
        unsure = np.zeros(len(boxes), np.int64)
    parts = parts * _wider(unsure)
    errors[:, range(3), range(3)] = (heights[:, None] * parts) ** 2
    return Observations(view, boxes, ground, errors, unsure)


def _wider(unsure: NDArray[np.int64]) -> Floats:
    """Factors ``(N, 3)`` of the errors of the middle across, the foot and the top."""
    wider = np.ones((len(unsure), 3))
    wider[(unsure & MIDDLE) > 0, 0] = _WIDER
    lying = (unsure & LYING) > 0
    wider[lying] = _WIDER
    wider[(unsure & FOOT) > 0, 1] = _UNSEEN
    wider[((unsure & TOP) > 0) | lying, 2] = _UNSEEN
    return wider


def predicted(walkers: Walkers, seconds: float) -> Walkers:
    """The prediction ``seconds`` later."""
    move = np.diag([1.0, 1, 1, 1, 1, 0, 0])
    move[0, 2] = move[1, 3] = seconds
    push = np.zeros((_SIZE, 2))
    push[0, 0] = push[1, 1] = seconds**2 / 2
    push[2, 0] = push[3, 1] = seconds
    noise = _CHANGE_OF_SPEED**2 * push @ push.T
    noise[5, 5] = noise[6, 6] = _SWAY_M**2
    return Walkers(walkers.states @ move.T, move @ walkers.spreads @ move.T + noise)


def started(seen: Observations) -> Walkers:
    """New walkers, one at each box, of unknown velocity."""
    count = len(seen.boxes)
    states = np.zeros((count, _SIZE))
    states[:, :2], states[:, 4] = seen.ground, _HEIGHT_M
    spreads = np.zeros((count, _SIZE, _SIZE))
    spreads[:, range(2, 5), range(2, 5)] = np.square([_FIRST_SPEED] * 2 + [_HEIGHT_SPREAD_M])
    spreads[:, range(5, 7), range(5, 7)] = _SWAY_M**2
    spreads[:, :2, :2] = _ground_spreads(seen)
    return Walkers(states, spreads)


def expected(walkers: Walkers, view: View) -> tuple[Floats, Floats]:
    """The expected boxes ``(N, 3)`` in a camera, and their derivatives ``(N, 3, 7)``."""
    boxes, slopes = view.boxes(walkers.states[:, :2] + walkers.states[:, 5:], walkers.states[:, 4])
    wide = np.zeros((len(walkers), 3, _SIZE))
    wide[:, :, [0, 1, 4]] = slopes
    wide[:, :, 5:] = slopes[:, :, :2]
    return boxes, wide


def fit_costs(walkers: Walkers, seen: Observations) -> Floats:
    """Costs ``(N, M)`` of each box for each walker: -2 log-likelihood, up to a constant a box.

    0 at best; it grows with the Mahalanobis distance and with the uncertainty of the walker; inf
    where it is impossible.
    """
    if not len(walkers) or not len(seen.boxes):
        return np.zeros((len(seen.boxes), len(walkers)))
    boxes, slopes = expected(walkers, seen.view)
    projected = slopes @ walkers.spreads @ slopes.transpose(0, 2, 1)
    spreads = projected[None] + seen.errors[:, None]
    costs = _costs(seen.boxes[:, None] - boxes[None], spreads, seen.errors[:, None])
    before = seen.view.in_front(walkers.states[:, :2])
    return np.where(before[None], costs, np.inf)


def pair_costs(
    walkers: Walkers, seen: Observations, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Floats:
    """Costs ``(N,)`` as of `fit_costs`, of the boxes ``rows`` for the walkers ``columns``."""
    some = walkers.select(columns)
    boxes, slopes = expected(some, seen.view)
    errors = seen.errors[rows]
    spreads = slopes @ some.spreads @ slopes.transpose(0, 2, 1) + errors
    costs = _costs(seen.boxes[rows] - boxes, spreads, errors)
    return np.where(seen.view.in_front(some.states[:, :2]), costs, np.inf)


def _costs(off: Floats, spreads: Floats, errors: Floats) -> Floats:
    """Of boxes that are ``off`` ``(..., 3)`` from the expected ones, with covariances
    ``(..., 3, 3)`` of that and of the boxes alone."""
    distances = (off[..., None, :] @ np.linalg.solve(spreads, off[..., None]))[..., 0, 0]
    uncertainty = np.linalg.slogdet(spreads)[1] - np.linalg.slogdet(errors)[1]
    return np.asarray(distances + uncertainty)


def across_costs(walkers: Walkers, seen: Observations) -> Floats:
    """Squared distances ``(N, M)`` across the picture alone, in standard deviations."""
    if not len(walkers) or not len(seen.boxes):
        return np.zeros((len(seen.boxes), len(walkers)))
    boxes, slopes = expected(walkers, seen.view)
    along = slopes[:, :1]
    spreads = (along @ walkers.spreads @ along.transpose(0, 2, 1))[:, 0, 0]
    off = seen.boxes[:, None, 0] - boxes[None, :, 0]
    return off**2 / (spreads[None] + seen.errors[:, None, 0, 0])


def updated(
    walkers: Walkers, seen: Observations, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Walkers:
    """All walkers, after an update of ``columns`` with the boxes of ``rows``."""
    if not len(rows):
        return walkers
    some = walkers.select(columns)
    boxes, slopes = expected(some, seen.view)
    crossed = some.spreads @ slopes.transpose(0, 2, 1)
    off = seen.boxes[rows] - boxes
    spreads_of_boxes = slopes @ crossed + seen.errors[rows]
    distances = (off[:, None] @ np.linalg.solve(spreads_of_boxes, off[..., None]))[:, 0, 0]
    # Who falls, jumps or is half hidden pulls the estimate no further than a bad box would.
    errors = seen.errors[rows] * np.maximum(1.0, distances / _FAR_OFF)[:, None, None]
    gain = crossed @ np.linalg.inv(slopes @ crossed + errors)
    states, spreads = walkers.states.copy(), walkers.spreads.copy()
    states[columns] += (gain @ off[..., None])[..., 0]
    smaller = some.spreads - gain @ slopes @ some.spreads
    spreads[columns] = (smaller + smaller.transpose(0, 2, 1)) / 2
    return Walkers(states, spreads)


def disagreement(
    walkers: Walkers, seen: Observations, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> float:
    """The sum of squared residuals of boxes, in units of the usual errors.

    Of the middle across and the foot, 2 numbers a box.
    """
    boxes, _ = expected(walkers.select(columns), seen.view)
    heights = np.maximum(seen.boxes[rows, 1] - seen.boxes[rows, 2], 1.0)
    off = (seen.boxes[rows] - boxes)[:, :2] / (heights[:, None] * _BOX_ERRORS[:2])
    return float(np.square(off).clip(max=_MOST_OFF**2).sum())


def _ground_spreads(seen: Observations) -> Floats:
    """Covariances ``(N, 2, 2)`` of the points on the ground, from those of the feet."""
    homography = seen.view.projection[:, [0, 1, 3]]
    feet = seen.boxes[:, :2]
    slopes = np.stack(
        [ground_points(feet + step, homography) - seen.ground for step in np.eye(2)], axis=2
    )
    spreads = slopes @ seen.errors[:, :2, :2] @ slopes.transpose(0, 2, 1)
    return np.asarray(np.nan_to_num(spreads, nan=1e4) + _LEAST_M**2 * np.eye(2))
