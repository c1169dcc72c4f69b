"""Ids judged by boxes: whom each box of a run shows, and the tracks that this makes of a walk."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.boxes import BOX
from pipeline.evaluation.scores import MATCH_IOU
from trackers.detections import iou
from trackers.tracklet import Tracklet, TrackletKey
from walking.composed import FPS
from walking.crops import Crops
from walking.recorded import START, Recorded
from walking.scene import Scene, ShownVisit, Track, Visit

_FRAME = ["camera_id", "frame_index"]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which boxes of a run overlap which of the truth by `MATCH_IOU`: ``(P,)`` row numbers.

    ``shows`` ``(N,)`` is the row of the truth that each box of the run shows, one to one, or -1.
    """

    truth: NDArray[np.int64]
    found: NDArray[np.int64]
    shows: NDArray[np.int64]


def match(truth: pl.DataFrame, found: pl.DataFrame) -> Matches:
    """Compare the boxes of every frame."""
    rows: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    shows = np.full(len(found), -1, np.int64)
    there = _by_frame(truth)
    for frame, columns in _by_frame(found).items():
        if frame not in there:
            continue
        a, b = there[frame], columns
        overlaps = iou(_boxes(truth, a), _boxes(found, b))
        close = np.nonzero(overlaps >= MATCH_IOU)
        rows.append((a[close[0]], b[close[1]]))
        for i, j in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            if overlaps[i, j] >= MATCH_IOU:
                shows[b[j]] = a[i]
    pairs = [np.concatenate(side).astype(np.int64) for side in zip(*rows, strict=True)] or [
        np.zeros(0, np.int64)
    ] * 2
    return Matches(pairs[0], pairs[1], shows)


def _by_frame(boxes: pl.DataFrame) -> dict[tuple[str, int], NDArray[np.intp]]:
    rows = boxes.with_row_index("row").group_by(_FRAME).agg("row").iter_rows()
    return {(camera, frame): np.array(some, np.intp) for camera, frame, some in rows}


def _boxes(boxes: pl.DataFrame, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    return boxes.select(pl.col(BOX).cast(pl.Float32))[rows].to_numpy()


def idf1(matches: Matches, person: NDArray[np.int64], identity: NDArray[np.int64]) -> float:
    """IDF1 (Ristani et al., 2016) as TrackEval has it: ``person`` of each box of the truth,
    ``identity`` of each box of the run, of which none may be missing."""
    if not len(person) + len(identity):
        return 0.0
    people, rows = np.unique(person, return_inverse=True)
    identities, columns = np.unique(identity, return_inverse=True)
    together = np.zeros((len(people), len(identities)))
    np.add.at(together, (rows[matches.truth], columns[matches.found]), 1)
    best = linear_sum_assignment(together, maximize=True)
    return float(2 * together[best].sum() / (len(person) + len(identity)))


def with_tracks(recorded: Recorded, matches: Matches) -> tuple[Scene, dict[TrackletKey, int]]:
    """The scene with what the trackers made of it, and the number, from 1, of each track that
    shows anybody."""
    visits = {visit.number: visit for visit in recorded.scene.visits}
    shown = recorded.truth["visit"].to_numpy()
    tracks: dict[TrackletKey, list[tuple[float, Visit]]] = {}
    found = recorded.observations
    rows = zip(
        found["camera_id"], found["track_id"], found["timestamp"], matches.shows, strict=True
    )
    for camera_id, track_id, timestamp, row in rows:
        if row >= 0:
            time = timestamp - START.timestamp()
            tracks.setdefault((camera_id, track_id), []).append((time, visits[int(shown[row])]))
    made = sorted(
        ((key, Track(tuple(_pieces(steps)))) for key, steps in tracks.items()),
        key=lambda one: (one[1].start, one[0]),
    )
    scene = replace(recorded.scene, tracks=tuple(track for _, track in made))
    return scene, {key: number for number, (key, _) in enumerate(made, start=1)}


def _pieces(steps: list[tuple[float, Visit]]) -> Iterable[ShownVisit]:
    steps.sort(key=lambda step: step[0])
    for _, run in groupby(steps, key=lambda step: step[1].number):
        some = list(run)
        yield ShownVisit(some[0][1], some[0][0], some[-1][0] + 1 / FPS)


def appearances(
    scene: Scene, numbers: Mapping[TrackletKey, int], tracklets: Iterable[Tracklet]
) -> tuple[Scene, Crops]:
    """The scene with, instead of the crops of each visit, the mean of what was embedded of it."""
    last = [tracklet for tracklet in tracklets if len(tracklet.exemplars)]
    length = last[0].exemplars.shape[1] if last else 1
    means = np.zeros((len(scene.visits), length), np.float32)
    for tracklet in last:
        if tracklet.key not in numbers:
            continue
        for piece in scene.tracks[numbers[tracklet.key] - 1].pieces:
            times = tracklet.exemplar_times - START.timestamp()
            here = (times >= piece.start) & (times < piece.end)
            means[piece.visit.number] += tracklet.exemplars[here].sum(axis=0)
    # A visit without embeddings stays 0: it is like none.
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    visits = {v.number: replace(v, rows=(v.number,)) for v in scene.visits}
    tracks = tuple(
        Track(tuple(replace(p, visit=visits[p.visit.number]) for p in track.pieces))
        for track in scene.tracks
    )
    crops = Crops(
        np.array([v.person for v in scene.visits], np.int64),
        np.array([v.camera for v in scene.visits], np.int64),
        means,
    )
    return replace(scene, visits=tuple(visits.values()), tracks=tracks), crops


def purity(scene: Scene) -> float:
    """The share of time for which a track shows the person whom it shows for longest."""
    most = whole = 0.0
    for track in scene.tracks:
        seconds: dict[int, float] = {}
        for piece in track.pieces:
            person = piece.visit.person
            seconds[person] = seconds.get(person, 0.0) + piece.end - piece.start
        most, whole = most + max(seconds.values()), whole + sum(seconds.values())
    return most / whole if whole else 1.0
