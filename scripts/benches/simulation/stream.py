"""The tracklets that the nodes of a simulated site send: open ones every second, then closed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from simulation.looks import AppearanceModel
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


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """A complete track, as it is when it is closed."""

    camera_id: str
    track_id: int
    start: float
    end: float
    exemplars: NDArray[np.float32]
    qualities: NDArray[np.float32]
    exemplar_times: NDArray[np.float64]
    path: NDArray[np.float64]

    def until(self, at: float, *, closed: bool) -> Tracklet:
        """The tracklet as of the time ``at``."""
        crops = int(np.searchsorted(self.exemplar_times, at, side="right"))
        steps = int(np.searchsorted(self.path[:, 0], at, side="right"))
        return Tracklet(
            camera_id=self.camera_id,
            track_id=self.track_id,
            revision=math.floor(at / INTERVAL_S) - math.floor(self.start / INTERVAL_S) + 1,
            start=self.start,
            end=float(self.path[steps - 1, 0]),
            count=steps,
            closed=closed,
            exemplars=self.exemplars[:crops],
            qualities=self.qualities[:crops],
            exemplar_times=self.exemplar_times[:crops],
            path=self.path[:steps],
        )


def stream(site: SiteGraph, tracks: Tracks, seed: int) -> Iterator[tuple[float, list[Tracklet]]]:
    """Each second of event time, with the tracklets that changed in it, by camera and track id.

    The track id of a row of ``tracks`` is its row number, counted from 1. Ends when all are closed.
    """
    appearance = AppearanceModel(seed)
    running: dict[int, _Whole] = {}
    row = 0
    for second in count(1):
        at = second * INTERVAL_S
        while row < len(tracks) and tracks.start[row] <= at:
            running[row] = _whole(site, tracks, row, appearance)
            row += 1
        changed = [t.until(at, closed=False) for t in running.values() if t.end > at - INTERVAL_S]
        ended = [number for number, track in running.items() if track.end + BUFFER_S < at]
        changed += [running.pop(number).until(at, closed=True) for number in ended]
        yield at, sorted(changed, key=lambda tracklet: tracklet.key)
        if not running and row == len(tracks):
            return


def _whole(site: SiteGraph, tracks: Tracks, row: int, appearance: AppearanceModel) -> _Whole:
    start, end = float(tracks.start[row]), float(tracks.end[row])
    rng = np.random.default_rng([appearance.seed, 5, row])
    camera, visit = int(tracks.camera[row]), int(tracks.visit[row])
    crops = min(_CROPS, 1 + int((end - start) / _CROP_STEP_S))
    spacing = max(_CROP_STEP_S, (end - start) / _CROPS)
    return _Whole(
        camera_id=site.camera_ids[camera],
        track_id=row + 1,
        start=start,
        end=end,
        exemplars=appearance.crops(int(tracks.person[row]), camera, visit, crops, piece=row),
        qualities=rng.uniform(_LOWEST_QUALITY, 1.0, crops).astype(np.float32),
        exemplar_times=start + spacing * np.arange(crops, dtype=np.float64),
        path=_path(start, end, rng),
    )


def _path(start: float, end: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A straight path through the image at constant speed."""
    times = np.append(np.arange(start, end, _PATH_STEP_S), end)
    progress = (times - start) / (end - start)
    x = (progress if rng.random() < 0.5 else 1 - progress) * _WIDTH_PX
    y = rng.uniform(*_FEET_PX, 2) @ np.stack([1 - progress, progress])
    height = np.interp(y, _FEET_PX, _PERSON_PX)
    return np.column_stack([times, x, y, height])
