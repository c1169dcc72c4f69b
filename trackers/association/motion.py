"""Evidence from time and place: could two tracklets be one person, and how likely is it?

Positions are metres. On a calibrated camera they are points on the ground; without calibration,
and only within one camera, pixels are turned into metres by the height of the boxes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.tracklet import Tracklet

_PERSON_HEIGHT_M = 1.7
# How far a person's place is known: feet on the ground, and boxes that breathe.
_SPREAD_TOGETHER_M = 0.4
_SPREAD_AT_ONCE_M = 0.4
_SPREAD_PER_S = 0.7
# A person who was lost walks on for a while before turning.
_COAST_S = 1.0
_VELOCITY_WINDOW_S = 1.0
# After this long apart, where somebody was says little about where they are.
_MEMORY_S = 8.0
# The area over which a stranger may appear.
_AREA_M2 = 150.0
# Two views of one person disagree badly in this share of the moments.
_OUTLIERS = 0.02
# Beyond top speed by this much is beyond doubt: boxes jump by less.
_JUMP_M = 1.5


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits: nobody is faster than ``max_speed`` metres a second, and two views of one
    person lie within ``max_ground_distance`` metres on the ground."""

    max_speed: float
    max_ground_distance: float


def overlap_in_time(a: Tracklet, b: Tracklet) -> bool:
    """Whether both were seen at one moment, the exact end included."""
    return a.start <= b.end and b.start <= a.end


def motion_evidence(a: Tracklet, b: Tracklet, limits: Limits) -> float:
    """Log-odds of one person over two, from place and time; -inf when it is impossible.

    0 when the two cannot be compared: different cameras of which one is not calibrated.
    """
    if overlap_in_time(a, b):
        if a.camera_id == b.camera_id:
            return -math.inf
        return _together(a, b, limits)
    first, second = (a, b) if a.end < b.start else (b, a)
    return _apart(first, second, limits)


def _together(a: Tracklet, b: Tracklet, limits: Limits) -> float:
    if a.ground is None or b.ground is None:
        return 0.0
    distances = _distances(a, b)
    if not len(distances):
        return 0.0
    distance = float(np.median(distances))
    if distance > limits.max_ground_distance:
        return -math.inf
    return math.log((1 - _OUTLIERS) * _density_ratio(distance, _SPREAD_TOGETHER_M) + _OUTLIERS)


def _apart(first: Tracklet, second: Tracklet, limits: Limits) -> float:
    step = _step(first, second)
    if step is None:
        return 0.0
    gap_s = max(second.start - first.end, 0.0)
    distance, coasted = step
    if min(distance, coasted) > limits.max_speed * gap_s + _JUMP_M and first.ground is not None:
        return -math.inf
    near = _density_ratio(coasted, _SPREAD_AT_ONCE_M + _SPREAD_PER_S * gap_s)
    remembered = math.exp(-gap_s / _MEMORY_S)
    return math.log(remembered * near + (1 - remembered) + 1e-3)


def _density_ratio(distance: float, spread: float) -> float:
    """A two-dimensional normal density at ``distance``, over the density of a stranger."""
    normal = math.exp(-(distance**2) / (2 * spread**2)) / (2 * math.pi * spread**2)
    return normal * _AREA_M2


def _distances(a: Tracklet, b: Tracklet) -> NDArray[np.float64]:
    """Metres between two ground paths at the moments of ``a`` that both cover."""
    assert a.ground is not None
    assert b.ground is not None
    times_a, points_a = _known(a.path[:, 0], a.ground)
    times_b, points_b = _known(b.path[:, 0], b.ground)
    if not len(times_a) or not len(times_b):
        return np.zeros(0)
    both = (times_a >= times_b[0] - 0.2) & (times_a <= times_b[-1] + 0.2)
    at_a = np.column_stack(
        [np.interp(times_a[both], times_b, points_b[:, axis]) for axis in (0, 1)]
    )
    return np.asarray(np.linalg.norm(points_a[both] - at_a, axis=1))


def _step(first: Tracklet, second: Tracklet) -> tuple[float, float] | None:
    """Metres from the end of ``first`` to the start of ``second``: straight, and after coasting.

    None when the two have no common measure of place.
    """
    if first.ground is not None and second.ground is not None:
        before, after = (
            _known(first.path[:, 0], first.ground),
            _known(second.path[:, 0], second.ground),
        )
    elif first.camera_id == second.camera_id:
        scale = _metres_per_pixel(first, second)
        before = first.path[:, 0], first.path[:, 1:3] * scale
        after = second.path[:, 0], second.path[:, 1:3] * scale
    else:
        return None
    if not len(before[0]) or not len(after[0]):
        return None
    coast_s = min(max(after[0][0] - before[0][-1], 0.0), _COAST_S)
    coasted = before[1][-1] + _velocity(*before) * coast_s
    return (
        float(np.linalg.norm(after[1][0] - before[1][-1])),
        float(np.linalg.norm(after[1][0] - coasted)),
    )


def _velocity(times: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    recent = times >= times[-1] - _VELOCITY_WINDOW_S
    duration = times[-1] - times[recent][0]
    if duration <= 0:
        return np.zeros(2)
    return np.asarray((points[-1] - points[recent][0]) / duration)


def _metres_per_pixel(first: Tracklet, second: Tracklet) -> float:
    return _PERSON_HEIGHT_M / float(max(first.path[-1, 3], second.path[0, 3], 1.0))


def _known(
    times: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = np.isfinite(points).all(axis=1)
    return times[known], points[known]
