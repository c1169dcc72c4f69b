"""The tracklets that the nodes of a simulated site send: open ones every second, then closed."""

import math
from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from simulation.appearance import AppearanceModel
from simulation.people import Tracks
from simulation.site_graph import SiteGraph
from trackers.tracklet import Tracklet

INTERVAL_S = 1.0
#: A track ends after this time without an observation.
BUFFER_S = 1.0
_PATH_STEP_S = 0.2
_CROP_STEP_S = 0.5
_CROPS = 8
_WIDTH_PX, _HEIGHT_PX, _FEET_PX, _PERSON_PX = 1920.0, 1080.0, (500.0, 1000.0), (150.0, 400.0)
_LOWEST_QUALITY = 0.3


def until(track: Tracklet, at: float, *, closed: bool) -> Tracklet:
    """What is known of a complete ``track`` at the time ``at``."""
    crops = int(np.searchsorted(track.exemplar_times, at, side="right"))
    steps = int(np.searchsorted(track.path[:, 0], at, side="right"))
    return Tracklet(
        camera_id=track.camera_id,
        track_id=track.track_id,
        revision=math.floor(at / INTERVAL_S) - math.floor(track.start / INTERVAL_S) + 1,
        start=track.start,
        end=float(track.path[steps - 1, 0]),
        count=steps,
        closed=closed,
        exemplars=track.exemplars[:crops],
        qualities=track.qualities[:crops],
        exemplar_times=track.exemplar_times[:crops],
        path=track.path[:steps],
    )


def stream(site: SiteGraph, tracks: Tracks, seed: int) -> Iterator[tuple[float, list[Tracklet]]]:
    """Each second of event time, with the tracklets that changed in it, by camera and track id.

    The track id of a row of ``tracks`` is its row number, counted from 1. Ends when all are closed.
    """
    appearance = AppearanceModel(seed)
    running: dict[int, Tracklet] = {}
    row = 0
    for second in count(1):
        at = second * INTERVAL_S
        while row < len(tracks) and tracks.start[row] <= at:
            running[row] = _whole(site, tracks, row, appearance)
            row += 1
        changed = [until(t, at, closed=False) for t in running.values() if t.end > at - INTERVAL_S]
        ended = [number for number, track in running.items() if track.end + BUFFER_S < at]
        changed += [until(running.pop(number), at, closed=True) for number in ended]
        yield at, sorted(changed, key=lambda tracklet: tracklet.key)
        if not running and row == len(tracks):
            return


def _whole(site: SiteGraph, tracks: Tracks, row: int, appearance: AppearanceModel) -> Tracklet:
    """A track as it is when it is closed."""
    start, end = float(tracks.start[row]), float(tracks.end[row])
    rng = np.random.default_rng([appearance.seed, 5, row])
    camera, visit = int(tracks.camera[row]), int(tracks.visit[row])
    crops = min(_CROPS, 1 + int((end - start) / _CROP_STEP_S))
    spacing = max(_CROP_STEP_S, (end - start) / _CROPS)
    qualities = rng.uniform(_LOWEST_QUALITY, 1.0, crops).astype(np.float32)
    path = _path(start, end, rng)
    return Tracklet(
        camera_id=site.camera_ids[camera],
        track_id=row + 1,
        revision=0,
        start=start,
        end=end,
        count=len(path),
        closed=True,
        exemplars=appearance.crops(int(tracks.person[row]), camera, visit, crops, piece=row),
        qualities=qualities,
        exemplar_times=start + spacing * np.arange(crops, dtype=np.float64),
        path=path,
    )


def _path(start: float, end: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A straight path through the image at constant speed."""
    times = np.append(np.arange(start, end, _PATH_STEP_S), end)
    progress = (times - start) / (end - start)
    x = (progress if rng.random() < 0.5 else 1 - progress) * _WIDTH_PX
    y = rng.uniform(*_FEET_PX, 2) @ np.stack([1 - progress, progress])
    height = np.interp(y, _FEET_PX, _PERSON_PX)
    return np.column_stack([times, x, y, height])
