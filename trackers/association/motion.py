"""Evidence from time and place: could two tracklets be one person, and how likely is it?

Positions are metres. On a calibrated camera they are points on the ground; without calibration,
and only within one camera, pixels are turned into metres by the height of the boxes.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trackers.ground.sides import FOOT, MIDDLE, TOP
from trackers.tracklet import GROUND, Tracklet

#: How tall people are.
PERSON_HEIGHT_M = 1.7
# Standard deviation of a person's place: feet on the ground, and boxes that vary.
_SPREAD_TOGETHER_M = 0.4
_SPREAD_AT_ONCE_M = 0.4
_SPREAD_PER_S = 0.7
# A person who was lost walks on for a while before turning.
_COAST_S = 1.0
_VELOCITY_WINDOW_S = 1.0
# After this long apart, the last place says little about where a person is,
_MEMORY_S = 8.0
#: and after this long nothing.
FORGOTTEN_S = 60.0
# The area over which another person may appear.
_AREA_M2 = 150.0
#: A single-camera tracker loses a person who is still there, and finds them soon: the probability,
#: and seconds. Another person leaves the picture, and comes back later.
LOST, LOST_S = 0.1, 2.0
BACK, BACK_S = 0.1, 200.0
# However far a person is from the expected place, there is a little chance.
_NEARLY_NONE = 1e-3
# At the border of a picture tracks begin and end because people come in and leave. Only one in so
# many of those that a tracker breaks does, compared with the tracks of two people.
_AT_BORDER = 16.0
# Two views of one person disagree badly in this share of the moments.
_OUTLIERS = 0.02
# Beyond top speed by this much is beyond doubt: boxes jump by less.
_JUMP_M = 1.5
# A track may end for so long on the box of a person who comes across, while its person goes on as a
# new track; of the tracks that begin beside one that ends like that, this share is its person.
_HANDOVER_S = 0.35
_HANDED_OVER = math.log(0.1)
#: Two cameras see a person at one moment when their pictures are no further apart in time.
AT_ONCE_S = 0.5
_AT_END_S = 0.2

#: Times ``(M,)`` in seconds UTC, and places ``(M, 2)`` in metres.
Walk = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits: no person is faster than ``max_speed`` metres a second, and two views of one
    person lie within ``max_ground_distance`` metres on the ground."""

    max_speed: float
    max_ground_distance: float


def overlap_in_time(a: Tracklet, b: Tracklet) -> bool:
    """Whether both were seen at one moment, the exact end included."""
    return a.start <= b.end and b.start <= a.end


def comparable(a: Tracklet, b: Tracklet) -> bool:
    """Whether place is evidence: of one camera, or both on the ground."""
    return a.camera_id == b.camera_id or (a.ground is not None and b.ground is not None)


def exclusive(a: Tracklet, b: Tracklet) -> bool:
    """Whether the two must be two people: a person is never twice in one camera at one time, but
    for the moment of a `handover`.

    The earlier one must be closed: while it is open it may come back at any moment.
    """
    if a.camera_id != b.camera_id:
        return False
    first, second = (a, b) if a.start <= b.start else (b, a)
    return not first.closed or (overlap_in_time(a, b) and not handover(first, second))


def handover(first: Tracklet, second: Tracklet) -> bool:
    """Whether ``first`` ended soon after ``second`` began, in the same camera.

    Where people hide each other, a tracker may give the box of one to the track of another in its
    last frames, and begin a new track for the other.
    """
    if first.camera_id == GROUND:
        return False
    return first.start < second.start <= first.end <= min(second.start + _HANDOVER_S, second.end)


def motion_evidence(a: Tracklet, b: Tracklet, limits: Limits) -> float:
    """Log-odds of one person over two, from place and time; -inf when it is impossible.

    0 when the two cannot be compared: different cameras of which one is not calibrated, or
    nowhere a place that is known.
    """
    if exclusive(a, b):
        return -math.inf
    first, second = (a, b) if a.start <= b.start else (b, a)
    if first.end < second.start:
        return _apart(first, second, limits)
    if first.camera_id == second.camera_id:
        return _HANDED_OVER + _apart(_before(first, second.start), second, limits)
    return _together(a, b, limits)


def _at_border(tracklet: Tracklet, row: int) -> bool:
    """Whether a box is cut by the border of the picture, as far as that is known."""
    return tracklet.path.shape[1] > 5 and bool(int(tracklet.path[row, 5]) & (FOOT | TOP | MIDDLE))


def distance_evidence(distance: float) -> float:
    """Log-odds of one person over two, seen at once by two cameras that many metres apart."""
    return math.log((1 - _OUTLIERS) * _density_ratio(distance, _SPREAD_TOGETHER_M) + _OUTLIERS)


def _before(tracklet: Tracklet, moment: float) -> Tracklet:
    """What was seen of ``tracklet`` before a moment, seconds UTC, of which its place counts."""
    rows = int(tracklet.path[:, 0].searchsorted(moment))
    ground = None if tracklet.ground is None else tracklet.ground[:rows]
    return replace(tracklet, path=tracklet.path[:rows], ground=ground)


def _together(a: Tracklet, b: Tracklet, limits: Limits) -> float:
    if a.ground is None or b.ground is None:
        return 0.0
    distances = _distances(_known(a.path[:, 0], a.ground), _known(b.path[:, 0], b.ground))
    if not len(distances):
        return 0.0
    distance = float(np.median(distances))
    return -math.inf if distance > limits.max_ground_distance else distance_evidence(distance)


def _apart(first: Tracklet, second: Tracklet, limits: Limits) -> float:
    forgotten = second.start - first.end > FORGOTTEN_S
    if first.ground is None or second.ground is None:
        if forgotten or first.camera_id != second.camera_id:
            return 0.0
        return _apart_in_picture(first, second, limits)
    times, points = _known(first.path[:, 0], first.ground)
    later_times, later_points = _known(second.path[:, 0], second.ground)
    if not len(times) or not len(later_times):
        return 0.0
    # From where the place was last known, which may be before the end.
    gap_s = float(later_times[0] - times[-1])
    moved = later_points[0] - points[-1]
    if math.hypot(*moved) > limits.max_speed * gap_s + _JUMP_M:
        return -math.inf
    if forgotten:
        return 0.0
    coasted = moved - _velocity(times, points, limits.max_speed) * min(gap_s, _COAST_S)
    return _met_again(math.hypot(*coasted), gap_s, math.exp(-gap_s / _MEMORY_S))


def _apart_in_picture(first: Tracklet, second: Tracklet, limits: Limits) -> float:
    """In metres across the picture, at the scale of the person where the one ends."""
    if not len(first.path) or not len(second.path):
        return 0.0
    # Plain floats: this runs for many people for every tracklet.
    time, x, y, height = first.path[-1, :4].tolist()
    later_time, later_x, later_y, later_height = second.path[0, :4].tolist()
    recent = first.path[:, 0].searchsorted(time - _VELOCITY_WINDOW_S)
    recent_time, recent_x, recent_y = first.path[recent, :3].tolist()
    scale = PERSON_HEIGHT_M / max(1.0, height, later_height)
    gap_s, coast_s = later_time - time, 0.0
    if time > recent_time:
        speed = math.hypot(x - recent_x, y - recent_y) * scale / (time - recent_time)
        slower = min(1.0, limits.max_speed / max(speed, 1e-9))
        coast_s = slower * min(gap_s, _COAST_S) / (time - recent_time)
    ahead_x, ahead_y = x + (x - recent_x) * coast_s, y + (y - recent_y) * coast_s
    distance = math.hypot(later_x - ahead_x, later_y - ahead_y) * scale
    came_or_left = _at_border(first, -1) or _at_border(second, 0)
    others = _AT_BORDER if came_or_left else 1.0
    return _met_again(distance, gap_s, _still_there(gap_s), others)


def most_in_picture(gap_s: float) -> float:
    """The most that `motion_evidence` can be between two tracklets of one camera without ground
    that are at least ``gap_s`` apart."""
    if gap_s > FORGOTTEN_S:
        return 0.0
    if gap_s <= 0:
        return math.inf
    return max(_met_again(0.0, gap_s, _still_there(gap_s)), _NEARLY_NONE)


def _still_there(gap_s: float) -> float:
    """The probability that one person seen ``gap_s`` apart in one camera was lost by the tracker
    and did not leave: only then does the place count."""
    lost = LOST * math.exp(-gap_s / LOST_S) / LOST_S
    back = BACK * math.exp(-gap_s / BACK_S) / BACK_S
    return lost / (lost + back)


def _met_again(distance: float, gap_s: float, remembered: float, others: float = 1.0) -> float:
    """Log-odds of a person ``distance`` metres from the expected place, ``gap_s`` later, where
    other people appear ``others`` times as often as elsewhere.

    ``remembered`` is the probability that the expected place counts at all.
    """
    near = _density_ratio(distance, _SPREAD_AT_ONCE_M + _SPREAD_PER_S * gap_s) / others
    return math.log(remembered * near + (1 - remembered) + _NEARLY_NONE)


def _density_ratio(distance: float, spread: float) -> float:
    """A two-dimensional normal density at ``distance``, over the density of another person."""
    normal = math.exp(-(distance**2) / (2 * spread**2)) / (2 * math.pi * spread**2)
    return normal * _AREA_M2


def _distances(a: Walk, b: Walk) -> NDArray[np.float64]:
    """Metres between two walks at the moments of ``a`` at which ``b`` was seen too."""
    (times_a, points_a), (times_b, points_b) = a, b
    if not len(times_a) or not len(times_b):
        return np.zeros(0)
    within = (times_a >= times_b[0] - _AT_END_S) & (times_a <= times_b[-1] + _AT_END_S)
    # The path of a long stay has gaps, in which the place is unknown.
    both = within & (to_nearest(times_a, times_b) <= AT_ONCE_S)
    at_a = [np.interp(times_a[both], times_b, points_b[:, axis]) for axis in (0, 1)]
    return np.asarray(np.linalg.norm(points_a[both] - np.column_stack(at_a), axis=1))


def to_nearest(times: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds from each of ``times`` to the nearest of ``others``; both in order, not empty."""
    after = np.minimum(np.searchsorted(others, times), len(others) - 1)
    before = np.maximum(after - 1, 0)
    return np.asarray(np.minimum(np.abs(times - others[before]), np.abs(times - others[after])))


def _velocity(
    times: NDArray[np.float64], points: NDArray[np.float64], max_speed: float
) -> NDArray[np.float64]:
    """Metres a second over the last moments; a jump of the box is no faster than people are."""
    recent = np.searchsorted(times, times[-1] - _VELOCITY_WINDOW_S)
    duration = times[-1] - times[recent]
    if duration <= 0:
        return np.zeros(2)
    velocity = np.asarray((points[-1] - points[recent]) / duration)
    return velocity * min(1.0, max_speed / max(math.hypot(*velocity), 1e-9))


def _known(times: NDArray[np.float64], points: NDArray[np.float64]) -> Walk:
    known = np.isfinite(points).all(axis=1)
    return times[known], points[known]
