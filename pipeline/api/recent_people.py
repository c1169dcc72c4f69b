"""Recently seen people: the in-memory data of the live API, bounded in time and rows."""

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.api.schemas import PersonAnswer
from pipeline.bus.messages import IdentityMessage, ObservationsMessage, unpack
from pipeline.recorder.rows import table_of
from trackers.tracklet import TrackletKey

# About 100 bytes each.
_MOST_ROWS = 500_000

Columns = dict[str, type[pl.DataType]]
#: Identities of parts of tracks: ``since`` is seconds UTC, -inf for the start of the track.
PART_COLUMNS: Columns = {
    "camera_id": pl.String,
    "track_id": pl.Int64,
    "since": pl.Float64,
    "global_id": pl.Int64,
    "confidence": pl.Float64,
}
#: Start and end of tracks, seconds UTC.
TRACK_COLUMNS: Columns = {
    "camera_id": pl.String,
    "track_id": pl.Int64,
    "start": pl.Float64,
    "end": pl.Float64,
}


class RecentRows(NamedTuple):
    """Parts and tracks, see `PART_COLUMNS` and `TRACK_COLUMNS`, and tables of observations of about
    a second."""

    parts: pl.DataFrame
    tracks: pl.DataFrame
    rows: tuple[pl.DataFrame, ...]


@dataclass(slots=True)
class _RecentTrack:
    start: float
    end: float
    box: tuple[float, float, float, float] | None = None
    ground: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    global_id: int
    confidence: float
    at: float


class RecentPeople:
    """Tracks, identities and observations of the last ``keep_s`` seconds of event time."""

    def __init__(self, keep_s: float) -> None:
        self.latest = -math.inf
        self._keep_s = keep_s
        self._tracks: dict[TrackletKey, _RecentTrack] = {}
        self._parts: dict[TrackletKey, dict[float, _Part]] = {}
        self._rows: deque[pl.DataFrame] = deque()
        self._row_count = 0

    def advance_to(self, timestamp: float) -> None:
        """Advance the latest event time to ``timestamp``, seconds UTC."""
        self.latest = max(self.latest, timestamp)

    def add_observations(self, message: ObservationsMessage) -> pl.DataFrame | None:
        """Add observations of a camera and return them; a message may have none."""
        if not message.frame_index.shape[0]:
            return None
        rows = pl.from_arrow(table_of([message]))
        assert isinstance(rows, pl.DataFrame)
        self._keep_rows(rows.with_columns(camera_id=pl.lit(message.camera_id)))
        ids, timestamps = unpack(message.track_id), unpack(message.timestamp)
        boxes, ground = unpack(message.boxes), message.ground
        grounds = None if ground is None else unpack(ground)
        for track_id in np.unique(ids):
            index = np.flatnonzero(ids == track_id)
            last = int(index[np.argmax(timestamps[index])])
            start, end = float(timestamps[index].min()), float(timestamps[last])
            point = None if grounds is None else _finite_point(*map(float, grounds[last]))
            box = tuple(map(float, boxes[last]))
            self.update_track(message.camera_id, int(track_id), start, end, box, point)
        return rows

    def update_track(
        self,
        camera_id: str,
        track_id: int,
        start: float,
        end: float,
        box: tuple[float, ...] | None = None,
        ground: tuple[float, float] | None = None,
    ) -> None:
        """Extend a track to ``start`` and ``end``, seconds UTC, with its box and ground point then.

        ``box`` is xyxy pixels, ``ground`` metres.
        """
        self.advance_to(end)
        known = self._tracks.setdefault((camera_id, track_id), _RecentTrack(start, -math.inf))
        known.start = min(known.start, start)
        if end >= known.end:
            known.end, known.ground = end, ground
            known.box = (box[0], box[1], box[2], box[3]) if box else None

    def add_identity(self, message: IdentityMessage) -> None:
        """Add the identity of a part of a track."""
        since = -math.inf if message.since is None else message.since
        part = _Part(message.global_id, message.confidence, message.at)
        self._parts.setdefault((message.camera_id, message.track_id), {})[since] = part
        self.advance_to(message.at)

    def person_at(self, key: TrackletKey, timestamp: float) -> int | None:
        """The global id of a track at a moment, seconds UTC; None while it is unknown."""
        parts = self._parts.get(key, {})
        since = max((since for since in parts if since <= timestamp), default=None)
        return None if since is None else parts[since].global_id

    def forget(self, global_id: int) -> None:
        """Forget a person with all their tracks, including parts of these that show others, which
        are still in the run directory.
        """
        for key, parts in self._parts.items():
            if any(part.global_id == global_id for part in parts.values()):
                self._tracks.pop(key, None)
                self._drop_rows(*key)
        self._parts = {
            key: {since: part for since, part in parts.items() if part.global_id != global_id}
            for key, parts in self._parts.items()
        }
        self._parts = {key: parts for key, parts in self._parts.items() if parts}

    def expire(self) -> None:
        """Drop data older than ``keep_s`` and the oldest rows above the limit."""
        oldest = self.latest - self._keep_s
        self._tracks = {key: track for key, track in self._tracks.items() if track.end >= oldest}
        self._parts = {
            key: parts
            for key, parts in self._parts.items()
            if key in self._tracks or max(part.at for part in parts.values()) >= oldest
        }
        while self._rows and (
            self._row_count > _MOST_ROWS or float(self._rows[0]["timestamp"][-1]) < oldest
        ):
            self._row_count -= self._rows.popleft().height

    def current(self, after: float) -> list[PersonAnswer]:
        """All people seen after this time, seconds UTC, at their latest position, by global id."""
        found: dict[int, PersonAnswer] = {}
        for (camera_id, track_id), track in self._tracks.items():
            parts = self._parts.get((camera_id, track_id), {})
            since = max((since for since in parts if since <= track.end), default=None)
            if since is None or track.end < after:
                continue
            part = parts[since]
            person = PersonAnswer(
                global_id=part.global_id,
                camera_id=camera_id,
                track_id=track_id,
                confidence=part.confidence,
                since=max(since, track.start),
                last_seen=track.end,
                box=track.box,
                ground=track.ground,
            )
            known = found.setdefault(part.global_id, person)
            found[part.global_id] = max(known, person, key=_recency)
        return [found[global_id] for global_id in sorted(found)]

    def tables(self) -> RecentRows:
        """All data as tables."""
        parts = [
            (*key, since, part.global_id, part.confidence)
            for key, known in self._parts.items()
            for since, part in known.items()
        ]
        tracks = [(*key, track.start, track.end) for key, track in self._tracks.items()]
        return RecentRows(
            pl.DataFrame(parts, PART_COLUMNS, orient="row"),
            pl.DataFrame(tracks, TRACK_COLUMNS, orient="row"),
            tuple(self._rows),
        )

    def restore(self, tracks: pl.DataFrame, parts: pl.DataFrame, latest: float) -> None:
        """Restore closed tracks and identities from a run directory written at ``latest``."""
        self.advance_to(latest)
        for camera_id, track_id, start, end in tracks.iter_rows():
            if end >= latest - self._keep_s:
                self.update_track(camera_id, track_id, start, end)
        old = tracks.filter(pl.col("end") < latest - self._keep_s)
        for camera_id, track_id, since, global_id, confidence in parts.join(
            old, on=["camera_id", "track_id"], how="anti"
        ).iter_rows():
            part = _Part(global_id, confidence, latest)
            self._parts.setdefault((camera_id, track_id), {})[since] = part

    def _drop_rows(self, camera_id: str, track_id: int) -> None:
        shows = (pl.col("camera_id") == camera_id) & (pl.col("track_id") == track_id)
        left = [rows.filter(~shows) for rows in self._rows]
        self._rows = deque(rows for rows in left if rows.height)
        self._row_count = sum(rows.height for rows in self._rows)

    def _keep_rows(self, rows: pl.DataFrame) -> None:
        self._rows.append(rows)
        self._row_count += rows.height


def _recency(person: PersonAnswer) -> tuple[float, float]:
    return person.last_seen, person.confidence


def _finite_point(x: float, y: float) -> tuple[float, float] | None:
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None
