"""People walking on the ground, as a Kalman filter knows them from the boxes of several cameras.

A state is ``(7,)``: x, y (metres), their velocities, the body's height, and by how far the body
sways off x and y just now. A box is seen as its middle across, its foot and its top, in pixels,
with errors in proportion to its height. The extended Kalman filter is the usual one (Bar-Shalom,
Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, 10.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.ground.view import View, ground_points

Floats = NDArray[np.float64]

# Errors of a box, as parts of its height: the middle across, the foot (often hidden), the top.
# They last over many frames, and so count for more than they are.
_BOX_ERRORS = np.array([0.07, 0.12, 0.04])
_UNSEEN = 1e3
_HEIGHT_M, _HEIGHT_SPREAD_M = 1.7, 0.1
_FIRST_SPEED = 1.0
# How much people change their speed, in metres a second by the second.
_CHANGE_OF_SPEED = 0.8
# Feet step, bodies lean, and boxes of all cameras lean with them.
_SWAY_M = 0.1
_LEAST_M = 0.05
_SIZE = 7
_MOST_OFF = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Boxes of one camera at one moment.

    ``boxes`` is ``(N, 3)`` pixels: middle across, foot, top; ``ground`` ``(N, 2)`` metres under the
    feet, finite; ``errors`` ``(N, 3, 3)`` the covariance of ``boxes``.
    """

    view: View
    boxes: Floats
    ground: Floats
    errors: Floats

    def take(self, rows: NDArray[np.intp]) -> "Sightings":
        """Some of them."""
        return Sightings(self.view, self.boxes[rows], self.ground[rows], self.errors[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Walkers:
    """``states`` ``(N, 7)`` and their covariances ``(N, 7, 7)``."""

    states: Floats
    spreads: Floats

    def __len__(self) -> int:
        return len(self.states)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Walkers":
        """Some of them."""
        return Walkers(self.states[rows], self.spreads[rows])

    def with_more(self, more: "Walkers") -> "Walkers":
        """These, then the others."""
        return Walkers(
            np.concatenate([self.states, more.states]),
            np.concatenate([self.spreads, more.spreads]),
        )


def nobody() -> Walkers:
    """No walkers."""
    return Walkers(np.zeros((0, _SIZE)), np.zeros((0, _SIZE, _SIZE)))


def sightings(view: View, boxes: Floats, ground: Floats, scale: float = 1.0) -> Sightings:
    """Boxes ``(N, 3)`` of one camera, with ``scale`` times the errors that such boxes have."""
    heights = np.maximum(boxes[:, 1] - boxes[:, 2], 1.0)
    errors = np.zeros((len(boxes), 3, 3))
    parts = np.where([True, True, view.sees_height], scale * _BOX_ERRORS, _UNSEEN)
    errors[:, range(3), range(3)] = (heights[:, None] * parts) ** 2
    return Sightings(view, boxes, ground, errors)


def walked(walkers: Walkers, seconds: float) -> Walkers:
    """Where they are ``seconds`` later, as far as can be told."""
    move = np.diag([1.0, 1, 1, 1, 1, 0, 0])
    move[0, 2] = move[1, 3] = seconds
    push = np.zeros((_SIZE, 2))
    push[0, 0] = push[1, 1] = seconds**2 / 2
    push[2, 0] = push[3, 1] = seconds
    noise = _CHANGE_OF_SPEED**2 * push @ push.T
    noise[5, 5] = noise[6, 6] = _SWAY_M**2
    return Walkers(walkers.states @ move.T, move @ walkers.spreads @ move.T + noise)


def born(seen: Sightings) -> Walkers:
    """New ones, each where a box stands; how fast they are is not known yet."""
    count = len(seen.boxes)
    states = np.zeros((count, _SIZE))
    states[:, :2], states[:, 4] = seen.ground, _HEIGHT_M
    spreads = np.zeros((count, _SIZE, _SIZE))
    spreads[:, range(2, 5), range(2, 5)] = np.square([_FIRST_SPEED] * 2 + [_HEIGHT_SPREAD_M])
    spreads[:, range(5, 7), range(5, 7)] = _SWAY_M**2
    spreads[:, :2, :2] = _ground_spreads(seen)
    return Walkers(states, spreads)


def expected(walkers: Walkers, view: View) -> tuple[Floats, Floats]:
    """The boxes ``(N, 3)`` in which a camera would see them, and the derivatives ``(N, 3, 7)``."""
    boxes, slopes = view.boxes(walkers.states[:, :2] + walkers.states[:, 5:], walkers.states[:, 4])
    wide = np.zeros((len(walkers), 3, _SIZE))
    wide[:, :, [0, 1, 4]] = slopes
    wide[:, :, 5:] = slopes[:, :, :2]
    return boxes, wide


def misfits(walkers: Walkers, seen: Sightings) -> Floats:
    """How badly each box ``(N, M)`` fits each walker: -2 log-likelihood, up to a constant a box.

    It is 0 at best, and grows with the surprise and with how vague the walker's place is; inf
    where it is impossible.
    """
    if not len(walkers) or not len(seen.boxes):
        return np.zeros((len(seen.boxes), len(walkers)))
    boxes, slopes = expected(walkers, seen.view)
    vague = slopes @ walkers.spreads @ slopes.transpose(0, 2, 1)
    spreads = vague[None] + seen.errors[:, None]
    off = seen.boxes[:, None] - boxes[None]
    surprise = (off[..., None, :] @ np.linalg.solve(spreads, off[..., None]))[..., 0, 0]
    vagueness = np.linalg.slogdet(spreads)[1] - np.linalg.slogdet(seen.errors)[1][:, None]
    before = seen.view.in_front(walkers.states[:, :2])
    return np.where(before[None], surprise + vagueness, np.inf)


def updated(
    walkers: Walkers, seen: Sightings, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Walkers:
    """All walkers, after those of ``columns`` were seen in the boxes of ``rows``."""
    if not len(rows):
        return walkers
    some = walkers.take(columns)
    boxes, slopes = expected(some, seen.view)
    crossed = some.spreads @ slopes.transpose(0, 2, 1)
    gain = crossed @ np.linalg.inv(slopes @ crossed + seen.errors[rows])
    states, spreads = walkers.states.copy(), walkers.spreads.copy()
    states[columns] += (gain @ (seen.boxes[rows] - boxes)[..., None])[..., 0]
    smaller = some.spreads - gain @ slopes @ some.spreads
    spreads[columns] = (smaller + smaller.transpose(0, 2, 1)) / 2
    return Walkers(states, spreads)


def disagreement(
    walkers: Walkers, seen: Sightings, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> float:
    """By how much boxes are off those of whom they show, in usual errors: the sum of squares.

    It is about the middle across and the foot, 2 numbers a box.
    """
    boxes, _ = expected(walkers.take(columns), seen.view)
    heights = np.maximum(seen.boxes[rows, 1] - seen.boxes[rows, 2], 1.0)
    off = (seen.boxes[rows] - boxes)[:, :2] / (heights[:, None] * _BOX_ERRORS[:2])
    return float(np.square(off).clip(max=_MOST_OFF**2).sum())


def _ground_spreads(seen: Sightings) -> Floats:
    """Covariances ``(N, 2, 2)`` of the points on the ground, from those of the feet."""
    homography = seen.view.projection[:, [0, 1, 3]]
    feet = seen.boxes[:, :2]
    slopes = np.stack(
        [ground_points(feet + step, homography) - seen.ground for step in np.eye(2)], axis=2
    )
    spreads = slopes @ seen.errors[:, :2, :2] @ slopes.transpose(0, 2, 1)
    return np.asarray(np.nan_to_num(spreads, nan=1e4) + _LEAST_M**2 * np.eye(2))
