"""A hall of 10 x 6 metres with a camera at its west and one at its south wall."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackers.ground.following import Point
from trackers.ground.kalman import Observations, observations
from trackers.ground.view import View
from trackers.tracklet import Tracklet

Place = tuple[float, float]


def looking(eye: Sequence[float], at: Sequence[float], focal: float = 800.0) -> View:
    """A camera at ``eye`` that looks at ``at``, both x, y, z in metres, of 1280 x 960 pixels."""
    forward = np.subtract(at, eye) / np.linalg.norm(np.subtract(at, eye))
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    lens = np.array([[focal, 0, 640], [0, focal, 480], [0, 0, 1]])
    return View(lens @ np.column_stack([rotation, -rotation @ np.array(eye, float)]))


VIEWS = {"west": looking((-3, 3, 3), (5, 3, 1)), "south": looking((5, -5, 3), (5, 3, 1))}


def box_at(camera_id: str, place: Place, height: float = 1.7) -> NDArray[np.float64]:
    """Middle across, foot and top of somebody, in pixels: ``(3,)``."""
    boxes, _ = VIEWS[camera_id].boxes(np.array([place], float), np.array([height]))
    return np.asarray(boxes[0])


def observed_at(camera_id: str, *places: Place) -> Observations:
    """The boxes of people at these places."""
    boxes = np.array([box_at(camera_id, place) for place in places]).reshape(-1, 3)
    return observations(VIEWS[camera_id], boxes, np.array(places, float).reshape(-1, 2))


def point_at(camera_id: str, track_id: int, time: float, place: Place, score: float = 0.9) -> Point:
    """One box of a track."""
    across, foot, top = map(float, box_at(camera_id, place))
    return Point(time, track_id, across, foot, top, *map(float, place), score)


def track_at(
    camera_id: str,
    track_id: int,
    steps: Sequence[tuple[float, Place]],
    *,
    exemplars: Sequence[float] = (),
    revision: int = 1,
    closed: bool = True,
) -> Tracklet:
    """A track of somebody who was at these places at these times, seconds."""
    times = np.array([time for time, _ in steps])
    boxes = np.array([box_at(camera_id, place) for _, place in steps])
    angles = np.radians(np.array(exemplars, float))
    return Tracklet(
        camera_id=camera_id,
        track_id=track_id,
        revision=revision,
        start=float(times[0]),
        end=float(times[-1]),
        count=len(times),
        closed=closed,
        exemplars=np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32),
        qualities=np.ones(len(exemplars), np.float32),
        exemplar_times=np.linspace(times[0], times[-1], len(exemplars)),
        path=np.column_stack(
            [times, boxes[:, :2], boxes[:, 1] - boxes[:, 2], np.full(len(times), 0.9)]
        ),
        ground=np.array([place for _, place in steps], float),
    )
