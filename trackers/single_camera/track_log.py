"""The tracks of one camera, from the first observation to the closed tracklet."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections, footpoints
from trackers.ground.sides import uncertain_sides
from trackers.ground.view import ground_points
from trackers.single_camera.continuity import Continuity, SamePerson
from trackers.tracklet import Tracklet

# A path is sampled: it must show position and direction, not every frame.
_PATH_STEP_S = 0.2
# Timestamps are rounded: a frame that is early by this much still counts as a full step.
_ROUNDING_S = 1e-3
_PATH_LENGTH = 512


@dataclass(frozen=True, slots=True, eq=False)
class Exemplar:
    """One embedded crop: ``embedding`` is ``(D,)`` float32, ``quality`` in 0..1.

    ``text_vector`` is ``(T,)`` and ``visibilities`` ``(P,)`` float32, where the network gives them.
    """

    timestamp: float
    quality: float
    embedding: NDArray[np.float32]
    text_vector: NDArray[np.float32] | None = None
    visibilities: NDArray[np.float32] | None = None


# Time, footpoint x and y, height, score, and the uncertain sides, of one box.
Step = tuple[float, float, float, float, float, float]


@dataclass(slots=True)
class _Track:
    track_id: int
    start: float
    end: float
    count: int = 0
    revision: int = 0
    changed: bool = True
    path: list[Step] = field(default_factory=list)
    last: Step = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    exemplars: list[Exemplar] = field(default_factory=list)
    continuity: Continuity = field(default_factory=Continuity)

    def from_here(self, track_id: int, since: float) -> "_Track":
        """Part it in two; returns what was seen from this moment on as a track of its own."""
        later = [step for step in self.path if step[0] >= since] or [self.last]
        share = len(later) / max(len(self.path), 1)
        other = _Track(
            track_id,
            start=later[0][0],
            end=self.end,
            count=max(1, round(share * self.count)),
            path=later,
            last=self.last,
            exemplars=[e for e in self.exemplars if e.timestamp >= since],
            continuity=self.continuity,
        )
        self.path = [step for step in self.path if step[0] < since] or self.path[:1]
        self.exemplars = [e for e in self.exemplars if e.timestamp < since]
        self.last, self.end = self.path[-1], self.path[-1][0]
        self.count = max(1, self.count - other.count)
        self.changed, self.continuity = True, Continuity()
        return other

    def goes_on_as(self, other: "_Track") -> None:
        """Take what was seen of ``other``, which is later than all of this one."""
        self.path += other.path
        self.exemplars += other.exemplars
        self.count += other.count
        self.last, self.end = other.last, other.end


class TrackLog:
    """Collects the observations and exemplars of the tracks of one camera.

    Track ids assigned here count from 1 and are never reused, even when the tracker continues one
    of its own ids after the track was closed here or is overdue. A track ends after more than
    ``close_after_s`` seconds without an observation; its best ``exemplars`` are kept.
    ``homography`` ``(3, 3)`` from ground metres to pixels gives the ground positions.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        close_after_s: float,
        exemplars: int,
        homography: NDArray[np.float64] | None = None,
        same_person: SamePerson | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._close_after_s = close_after_s
        self._exemplars = exemplars
        self._homography = homography
        self._same_person = same_person
        # What each id of the tracker stands for, and since when, in order of time.
        self._ids: dict[int, list[tuple[float, int]]] = {}
        self._open: dict[int, _Track] = {}
        self._next_id = 1
        self._previous = -math.inf

    def add(
        self, tracked: Detections, timestamp: float, size: tuple[int, int] | None = None
    ) -> Detections:
        """Add the tracked detections of one frame; returns them with the track ids of this log.

        ``size`` is width and height of the picture, None where it is unknown.
        """
        assert tracked.track_ids is not None
        ids = np.array([self._id_of(int(t), timestamp) for t in tracked.track_ids], np.int64)
        feet = footpoints(tracked.boxes)
        heights = tracked.boxes[:, 3] - tracked.boxes[:, 1]
        unsure = uncertain_sides(tracked.boxes, size)
        steps = np.column_stack([feet, heights, tracked.scores, unsure]).astype(np.float64)
        for track_id, (x, y, height, score, sides) in zip(ids, steps.tolist(), strict=True):
            _append(self._open[int(track_id)], (timestamp, x, y, height, score, sides))
        self._previous = timestamp
        return replace(tracked, track_ids=ids)

    def ground(self, boxes: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Ground positions ``(N, 2)`` in metres of boxes ``(N, 4)``; None without calibration."""
        if self._homography is None:
            return None
        return ground_points(footpoints(boxes).astype(np.float64), self._homography)

    def add_exemplar(self, track_id: int, exemplar: Exemplar) -> None:
        """Add the exemplar to its track if it is among the best."""
        track = self._open[track_id]
        track.changed = True
        track.exemplars.append(exemplar)
        track.exemplars.sort(key=lambda e: (-e.quality, e.timestamp))
        del track.exemplars[self._exemplars :]

    def exemplar_count(self, track_id: int) -> int:
        """The number of exemplars of a track, 0 when it is not open."""
        return len(self._open[track_id].exemplars) if track_id in self._open else 0

    def close_after(self, seconds: float) -> None:
        """End tracks after more than ``seconds`` without an observation from now on."""
        self._close_after_s = seconds

    def part(self, track_id: int, exemplar: Exemplar) -> int | None:
        """The track that begins where this one shows another person, by its latest exemplar.

        None while it shows one person. The other has what was seen since then; this one is to be
        closed.
        """
        track = self._open[track_id]
        if self._same_person is None:
            return None
        vector = exemplar.embedding
        since = track.continuity.add(exemplar.timestamp, vector, self._same_person)
        if since is None or since <= track.start:
            return None
        new_id, self._next_id = self._next_id, self._next_id + 1
        self._open[new_id] = track.from_here(new_id, since)
        self._rename({track_id: new_id}, since)
        return new_id

    def is_doubted(self, track_id: int) -> bool:
        """Whether the latest exemplar of an open track may show another person."""
        return track_id in self._open and bool(self._open[track_id].continuity.doubted)

    def exchange(self, one: int, other: int, since: float) -> bool:
        """Let two tracks go on as each other from a moment on.

        False where that cannot be: one of them began or was split since.
        """
        renamed = [steps[-1][0] for steps in self._ids.values() if steps[-1][1] in (one, other)]
        tracks = [self._open[track_id] for track_id in (one, other)]
        if max(renamed, default=since) > since or any(t.start >= since for t in tracks):
            return False
        first, second = (
            track.from_here(track.track_id, since) if track.end >= since else None
            for track in tracks
        )
        for track, rest in zip(tracks, (second, first), strict=True):
            track.continuity = Continuity.of([e.embedding for e in track.exemplars])
            track.changed = True
            if rest is not None:
                track.goes_on_as(rest)
        self._rename({one: other, other: one}, since)
        return True

    def embedding_before(self, track_id: int, timestamp: float) -> NDArray[np.float32] | None:
        """The mean embedding ``(D,)`` of what a track showed before a moment; None: nothing."""
        before = [e.embedding for e in self._open[track_id].exemplars if e.timestamp < timestamp]
        return np.mean(before, axis=0) if before else None

    def track_at(self, tracker_id: int, timestamp: float) -> int | None:
        """The open track that an id of the tracker stood for at a moment."""
        steps = self._ids.get(tracker_id, [])
        return next((ours for since, ours in reversed(steps) if timestamp >= since), None)

    def tracker_ids(self, track_id: int) -> list[int]:
        """The ids of the tracker that stand for this track now."""
        return [theirs for theirs, steps in self._ids.items() if steps[-1][1] == track_id]

    def _rename(self, names: Mapping[int, int], since: float) -> None:
        for steps in self._ids.values():
            if steps[-1][1] in names:
                steps.append((since, names[steps[-1][1]]))

    def start_of(self, track_id: int) -> float:
        """When an open track begins, seconds UTC."""
        return self._open[track_id].start

    def is_open(self, track_id: int) -> bool:
        """Whether the track exists and is not closed."""
        return track_id in self._open

    def overdue(self, timestamp: float) -> list[int]:
        """The open tracks without an observation for too long at ``timestamp``, by id."""
        return [i for i in self.open_ids() if self._is_overdue(i, timestamp)]

    def open_ids(self) -> list[int]:
        """All open tracks, by id."""
        return sorted(self._open)

    def close(self, track_id: int) -> Tracklet:
        """End a track; returns its last revision, closed."""
        track = self._open.pop(track_id)
        kept = {t: [s for s in steps if s[1] != track_id] for t, steps in self._ids.items()}
        self._ids = {theirs: steps for theirs, steps in kept.items() if steps}
        return self._tracklet(track, closed=True)

    def snapshot(self) -> list[Tracklet]:
        """A new revision of each open track that has changed since the last snapshot."""
        changed = [self._open[i] for i in self.open_ids() if self._open[i].changed]
        return [self._tracklet(track, closed=False) for track in changed]

    def _id_of(self, tracker_id: int, timestamp: float) -> int:
        steps = self._ids.setdefault(tracker_id, [])
        # A track that was overdue at the previous frame is being closed and must not grow.
        if not steps or self._is_overdue(steps[-1][1], self._previous):
            steps.append((timestamp, self._next_id))
            self._open[self._next_id] = _Track(self._next_id, timestamp, timestamp)
            self._next_id += 1
        return steps[-1][1]

    def _is_overdue(self, track_id: int, timestamp: float) -> bool:
        return self._open[track_id].end < timestamp - self._close_after_s

    def _tracklet(self, track: _Track, *, closed: bool) -> Tracklet:
        track.revision += 1
        track.changed = False
        exemplars = sorted(track.exemplars, key=lambda e: e.timestamp)
        path = track.path if track.path[-1][0] == track.last[0] else [*track.path, track.last]
        steps = np.array(path, np.float64)
        return Tracklet(
            camera_id=self._camera_id,
            track_id=track.track_id,
            revision=track.revision,
            start=track.start,
            end=track.end,
            count=track.count,
            closed=closed,
            exemplars=np.array([e.embedding for e in exemplars], np.float32).reshape(
                len(exemplars), -1 if exemplars else 0
            ),
            qualities=np.array([e.quality for e in exemplars], np.float32),
            exemplar_times=np.array([e.timestamp for e in exemplars], np.float64),
            path=steps,
            ground=None
            if self._homography is None
            else ground_points(steps[:, 1:3], self._homography),
            text_vectors=_stacked([e.text_vector for e in exemplars]),
            visibilities=_stacked([e.visibilities for e in exemplars]),
        )


def _stacked(rows: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    """The rows ``(K, N)``; None for none, and where one is missing."""
    known = [row for row in rows if row is not None]
    return np.stack(known) if known and len(known) == len(rows) else None


def _append(track: _Track, step: Step) -> None:
    track.end = step[0]
    track.count += 1
    track.changed = True
    track.last = step
    if not track.path or step[0] - track.path[-1][0] >= _PATH_STEP_S - _ROUNDING_S:
        track.path.append(step)
    if len(track.path) > _PATH_LENGTH:
        # Keep the start, which shows where the person came from; thin out the rest.
        del track.path[1:-1:2]
