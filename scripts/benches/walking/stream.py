"""The tracklets that nodes would send of a walk: open ones every second, then closed."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np

from simulation.stream import BUFFER_S, INTERVAL_S, until
from trackers.single_camera.continuity import Continuity, SamePerson
from trackers.tracklet import Tracklet
from walking.crops import Crops
from walking.scene import Scene, Track

#: Track numbers are multiples of this; a track is split into fewer parts.
PARTS = 100
_PATH_STEP_S = 0.2
_QUALITY = 0.7


def stream(
    scene: Scene, crops: Crops, same: SamePerson | None
) -> Iterator[tuple[float, list[Tracklet]]]:
    """Each second, with the tracklets that changed in it.

    Track n of the scene, from 1, is track ``PARTS * n``, and those after it from where it shows
    another person by ``same``; None never splits.
    """
    whole = [_whole(track, number, crops) for number, track in enumerate(scene.tracks, start=1)]
    parts = [part for track in whole for part in (_parts(track, same) if same else [track])]
    parts.sort(key=lambda part: (part.start, part.key))
    running: list[Tracklet] = []
    row = 0
    for second in count(1):
        at = second * INTERVAL_S
        while row < len(parts) and parts[row].start <= at:
            running.append(parts[row])
            row += 1
        sent = [until(t, at, closed=False) for t in running if t.end > at - INTERVAL_S]
        sent += [until(t, at, closed=True) for t in running if t.end + BUFFER_S < at]
        running = [t for t in running if t.end + BUFFER_S >= at]
        yield at, sorted(sent, key=lambda tracklet: tracklet.key)
        if not running and row == len(parts):
            return


def camera_name(camera: int) -> str:
    """The id of a camera by its number."""
    return f"c{camera}"


def _whole(track: Track, number: int, crops: Crops) -> Tracklet:
    """A track as it is when it is closed."""
    chosen = track.crops()
    times = [np.append(np.arange(p.start, p.end, _PATH_STEP_S), p.end) for p in track.pieces]
    places = [p.visit.at(t) for p, t in zip(track.pieces, times, strict=True)]
    path = np.column_stack([np.concatenate(times), np.concatenate(places)])
    return Tracklet(
        camera_id=camera_name(track.camera),
        track_id=PARTS * number,
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


def _parts(track: Tracklet, same: SamePerson) -> list[Tracklet]:
    """The track, split where it shows another person, as a node does."""
    continuity = Continuity()
    since = [
        found
        for time, vector in zip(track.exemplar_times.tolist(), track.exemplars, strict=True)
        if (found := continuity.add(time, vector, same)) is not None
    ]
    cuts = [-math.inf, *since, math.inf]
    return [_between(track, n, *cuts[n : n + 2]) for n in range(len(cuts) - 1)]


def _between(track: Tracklet, part: int, start: float, end: float) -> Tracklet:
    shown = (track.exemplar_times >= start) & (track.exemplar_times < end)
    steps = (track.path[:, 0] >= start) & (track.path[:, 0] < end)
    path = track.path[steps]
    return replace(
        track,
        track_id=track.track_id + part,
        start=float(path[0, 0]),
        end=float(path[-1, 0]),
        count=len(path),
        exemplars=track.exemplars[shown],
        qualities=track.qualities[shown],
        exemplar_times=track.exemplar_times[shown],
        path=path,
    )
