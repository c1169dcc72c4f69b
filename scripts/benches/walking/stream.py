"""What the nodes of a walk send: open tracks every second as they grow, then closed."""

import math
from collections.abc import Iterator
from itertools import count

import numpy as np

from trackers.tracklet import Tracklet
from walking.crops import Crops
from walking.scene import Scene, Track

INTERVAL_S = 1.0
#: As long without an observation ends a track.
BUFFER_S = 1.0
_PATH_STEP_S = 0.2
_QUALITY = 0.7


def stream(scene: Scene, crops: Crops) -> Iterator[tuple[float, list[Tracklet]]]:
    """Each second, with the tracklets that changed in it; track n of the scene is track n + 1."""
    whole = [_whole(track, number, crops) for number, track in enumerate(scene.tracks, start=1)]
    running: list[Tracklet] = []
    row = 0
    for second in count(1):
        at = second * INTERVAL_S
        while row < len(whole) and whole[row].start <= at:
            running.append(whole[row])
            row += 1
        told = [_until(t, at) for t in running if t.end > at - INTERVAL_S]
        told += [_until(t, at, closed=True) for t in running if t.end + BUFFER_S < at]
        running = [t for t in running if t.end + BUFFER_S >= at]
        yield at, sorted(told, key=lambda tracklet: tracklet.key)
        if not running and row == len(whole):
            return


def camera_name(camera: int) -> str:
    """The id of a camera by its number."""
    return f"c{camera}"


def _whole(track: Track, number: int, crops: Crops) -> Tracklet:
    """A track as it will be when it is closed."""
    chosen = track.crops()
    times = [np.append(np.arange(p.start, p.end, _PATH_STEP_S), p.end) for p in track.pieces]
    places = [p.visit.at(t) for p, t in zip(track.pieces, times, strict=True)]
    path = np.column_stack([np.concatenate(times), np.concatenate(places)])
    return Tracklet(
        camera_id=camera_name(track.camera),
        track_id=number,
        revision=0,
        start=track.start,
        end=track.end,
        count=len(path),
        closed=True,
        exemplars=crops.vectors[[row for _, row in chosen]],
        qualities=np.full(len(chosen), _QUALITY, np.float32),
        exemplar_times=np.array([time for time, _ in chosen], np.float64),
        path=path,
    )


def _until(track: Tracklet, at: float, *, closed: bool = False) -> Tracklet:
    """What is known of a track at the moment ``at``."""
    shown = int(np.searchsorted(track.exemplar_times, at, side="right"))
    steps = int(np.searchsorted(track.path[:, 0], at, side="right"))
    return Tracklet(
        camera_id=track.camera_id,
        track_id=track.track_id,
        revision=math.floor(at / INTERVAL_S) - math.floor(track.start / INTERVAL_S) + 1,
        start=track.start,
        end=float(track.path[steps - 1, 0]),
        count=steps,
        closed=closed,
        exemplars=track.exemplars[:shown],
        qualities=track.qualities[:shown],
        exemplar_times=track.exemplar_times[:shown],
        path=track.path[:steps],
    )
