"""Reads a run directory: finished, still growing, or left by a killed run."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.config.load import read_yaml
from pipeline.errors import UserError, unknown_name
from pipeline.run_directory.layout import observation_folders, version_of
from pipeline.run_directory.progress import read_cameras
from pipeline.run_directory.row_groups import Range, RowGroup, read, row_groups, span_of, steadily
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, CameraRecord
from pipeline.run_directory.selection import EVERYTHING, Selection

_IDENTITY_COLUMNS = ("global_id", "confidence", "state")
_UNKNOWN = pl.lit("unknown")
# Rows that are read at once: some 25 MB.
_CHUNK_ROWS = 200_000
_LAST = 2**62
_ORDER = ("frame_index", "track_id", "timestamp")
#: Columns of `RunDirectory.trajectories`.
TRAJECTORY = (
    *("camera_id", "frame_index", "timestamp", "time", "track_id"),
    *_IDENTITY_COLUMNS,
    *("x1", "y1", "x2", "y2", "score", "ground_x", "ground_y"),
)


@dataclass(frozen=True, slots=True, init=False)
class RunDirectory:
    """A run directory on disk, or the part of it in ``selection``.

    Raises UserError when ``path`` is not a run directory, or one of a later fusetrack; the methods
    raise it when a file is damaged.
    """

    path: Path
    selection: Selection = EVERYTHING

    def __init__(self, path: str | Path, selection: Selection = EVERYTHING) -> None:
        object.__setattr__(self, "path", Path(path))
        object.__setattr__(self, "selection", selection)
        if not (self.path / "config.yaml").is_file():
            raise UserError(
                f"{self.path} is not a run directory: it has no config.yaml. "
                "Expected the folder printed by `fusetrack run`"
            )
        version_of(self.path)
        known = {camera.camera_id for camera in read_cameras(self.path)}
        known |= observation_folders(self.path).keys()
        for camera_id in sorted(self.selection.cameras or ()):
            if camera_id not in known:
                raise unknown_name("camera", camera_id, known)

    def config(self) -> dict[str, object]:
        """The resolved configuration of the run, as plain values."""
        path = self.path / "config.yaml"
        fault = f"{path} is damaged: expected a configuration written by fusetrack"
        try:
            loaded = read_yaml(path)
        except UserError as error:
            raise UserError(f"{fault}. {error}") from error
        if not isinstance(loaded, dict):
            raise UserError(fault)
        return loaded

    def cameras(self) -> list[CameraRecord]:
        """The cameras by name; empty before the first segment is closed."""
        return [c for c in read_cameras(self.path) if self.selection.has(c.camera_id)]

    def observed(self) -> list[str]:
        """The names of the cameras that may have observations, sorted."""
        return [name for name in observation_folders(self.path) if self.selection.has(name)]

    def observations(self) -> pl.DataFrame:
        """All observations with their ``camera_id``, ordered by camera, frame and track."""
        parts = [
            rows
            for name in self.observed()
            for rows in self._observations(name, self._groups(name))
        ]
        return pl.concat([no_observations(), *parts])

    def trajectories(self) -> pl.DataFrame:
        """The result: observations joined with identities.

        Columns: camera_id, frame_index, timestamp (seconds UTC), time (the same as a date),
        track_id, global_id, confidence, state, x1, y1, x2, y2, score, ground_x, ground_y; ordered
        by camera, frame and track. For a track without an identity ``global_id`` and
        ``confidence`` are null and ``state`` is unknown; otherwise ``state`` is probable or
        confirmed. A global id occurs at most once per frame: of several boxes with the same id
        only the one with the highest detection score keeps it.
        """
        parts = [rows for name in self.observed() for rows in self.chunks(name)]
        return pl.concat([no_trajectories(), *parts]).select(TRAJECTORY)

    def observations_of(
        self,
        camera_id: str,
        track_ids: NDArray[np.int64],
        columns: Sequence[str] = tuple(OBSERVATIONS.names),
    ) -> pl.DataFrame:
        """The observations of some tracks of a camera, sorted ids ``(N,)``; in no order."""
        return steadily(lambda: self._observations_of(camera_id, track_ids, columns))

    def _observations_of(
        self, camera_id: str, track_ids: NDArray[np.int64], columns: Sequence[str]
    ) -> pl.DataFrame:
        groups = self._groups(camera_id) if camera_id in self.observed() else []
        wanted = pl.col("track_id").is_in(track_ids.tolist()) & self.selection.holds("timestamp")
        parts = [
            read([group], OBSERVATIONS, columns).filter(wanted)
            for group in groups
            if group.holds_any("track_id", track_ids)
        ]
        return pl.concat([read([], OBSERVATIONS, columns), *parts])

    def chunks(self, camera_id: str, first: int = 0, last: int = _LAST) -> Iterator[pl.DataFrame]:
        """The trajectories of a camera in parts of bounded size, each of whole frames, in order;
        of the frames ``first`` to ``last``.

        Columns: those of `trajectories`, and frame_width and frame_height (px, null: unknown).
        """
        columns = ("camera_id", "track_id", "since", *_IDENTITY_COLUMNS)
        groups = self._groups(camera_id, first, last)
        if not groups:
            return
        # Of a long run only the segments that may tell of these tracks.
        tracks = _tracks_in(groups)
        identities = _current(steadily(lambda: self._events(columns, camera_id, tracks)))
        for rows in self._observations(camera_id, groups, first, last):
            yield _trajectories(rows, identities)

    def last_frame(self, camera_id: str) -> int:
        """The index of the last frame with an observation of a camera, -1 without any."""
        if camera_id not in self.observed():
            return -1
        return int(max(span_of(self._groups(camera_id), "frame_index")[1], -1))

    def observed_span(self) -> tuple[float, float]:
        """The times of the first and last observation, seconds UTC; (inf, -inf) for none."""
        spans = [span_of(self._groups(name), "timestamp") for name in self.observed()]
        first = min((start for start, _ in spans), default=math.inf)
        last = max((end for _, end in spans), default=-math.inf)
        return self.selection.clipped(first, last) if first <= last else (first, last)

    def has_ground(self) -> bool:
        """Whether any observation has a place on the ground."""
        columns = ["timestamp", "ground_x", "ground_y"]
        return any(
            not rows.select(pl.col("ground_x", "ground_y").is_null().all()).row(0) == (True, True)
            for name in self.observed()
            for rows in self._rows(name, columns, self._groups(name))
        )

    def tracklets(self, columns: Sequence[str] = tuple(TRACKLETS.names)) -> pl.DataFrame:
        """All closed tracks with some of the selected time, ordered by camera and track."""
        return steadily(lambda: self._tracklets(columns))

    def _tracklets(self, columns: Sequence[str]) -> pl.DataFrame:
        keys = ["camera_id", "track_id", "start", "end"]
        chosen = self.selection
        groups = row_groups(
            self.path / "tracklets",
            start=(-math.inf, chosen.until),
            end=(chosen.since, math.inf),
        )
        rows = read(groups, TRACKLETS, [*keys, *(name for name in columns if name not in keys)])
        within = (pl.col("start") < chosen.until) & (pl.col("end") >= chosen.since)
        rows = self._selected(rows).filter(within)
        return rows.sort("camera_id", "track_id", maintain_order=True).select(columns)

    def events(self, columns: Sequence[str] = tuple(IDENTITIES.names)) -> pl.DataFrame:
        """The identity event log of all times, oldest first."""
        return steadily(lambda: self._events(columns))

    def identities(self, camera_id: str | None = None) -> pl.DataFrame:
        """Current identities: the last event of each part of a track, ordered by camera, track and
        ``since``; of one camera if given.

        Most tracks have a single part, with ``since`` -inf.
        """
        return _current(steadily(lambda: self._events(IDENTITIES.names, camera_id)))

    def _events(
        self,
        columns: Sequence[str],
        camera_id: str | None = None,
        tracks: tuple[int, int] | None = None,
    ) -> pl.DataFrame:
        """Identity events; of one camera, and all of its ``tracks``, first and last, if given."""
        ranges: dict[str, Range] = (
            {} if camera_id is None else {"camera_id": (camera_id, camera_id)}
        )
        ranges |= {} if tracks is None else {"track_id": tracks}
        mine = pl.lit(True) if camera_id is None else pl.col("camera_id") == camera_id
        # One group at a time: those of one camera, or of the selected ones, are a part of it.
        parts = [
            self._selected(read([group], IDENTITIES, columns)).filter(mine)
            for group in row_groups(self.path / "identities", **ranges)
        ]
        return pl.concat([read([], IDENTITIES, columns), *parts])

    def _selected(self, rows: pl.DataFrame) -> pl.DataFrame:
        cameras = self.selection.cameras
        return rows if cameras is None else rows.filter(pl.col("camera_id").is_in(cameras))

    def _groups(self, camera_id: str, first: int = 0, last: int = _LAST) -> list[RowGroup]:
        return row_groups(
            observation_folders(self.path)[camera_id],
            timestamp=(self.selection.since, self.selection.until),
            frame_index=(first, last),
        )

    def _observations(
        self, camera_id: str, groups: Sequence[RowGroup], first: int = 0, last: int = _LAST
    ) -> Iterator[pl.DataFrame]:
        for rows in self._rows(camera_id, OBSERVATIONS.names, groups, first, last):
            yield rows.select(pl.lit(camera_id).alias("camera_id"), pl.all())

    def _rows(
        self,
        camera_id: str,
        columns: Sequence[str],
        groups: Sequence[RowGroup],
        first: int = 0,
        last: int = _LAST,
    ) -> Iterator[pl.DataFrame]:
        """The rows of a camera with ``columns``, in parts of whole frames, by frame and track, as
        far as their frames are those of ``groups``.
        """
        for start, before in frame_spans(groups, _CHUNK_ROWS):
            span = max(start, first), min(before - 1, last)
            yield steadily(partial(self._rows_in, camera_id, columns, *span))

    def _rows_in(
        self, camera_id: str, columns: Sequence[str], first: int, last: int
    ) -> pl.DataFrame:
        named = [*columns, *(name for name in _ORDER if name not in columns)]
        groups = self._groups(camera_id, first, last)
        rows = read(groups, OBSERVATIONS, named).filter(
            pl.col("frame_index").is_between(first, last), self.selection.holds("timestamp")
        )
        return rows.sort("frame_index", "track_id", maintain_order=True).select(columns)


def no_trajectories() -> pl.DataFrame:
    """An empty part, as of `RunDirectory.chunks`."""
    return _trajectories(no_observations(), _current(read([], IDENTITIES, IDENTITIES.names)))


def trajectories_of(observations: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The trajectories of ``observations`` with the last of ``events``, as of a `RunDirectory`."""
    identities = _current(events)
    parts = [
        _trajectories(rows, identities.filter(camera_id=camera_id))
        for (camera_id,), rows in observations.group_by("camera_id", maintain_order=True)
    ]
    return pl.concat([no_trajectories(), *parts]).select(TRAJECTORY)


def no_observations() -> pl.DataFrame:
    """An empty table, as of `RunDirectory.observations`."""
    rows = read([], OBSERVATIONS, OBSERVATIONS.names)
    return rows.select(pl.lit("").alias("camera_id"), pl.all())


def _current(events: pl.DataFrame) -> pl.DataFrame:
    part = ["camera_id", "track_id", "since"]
    return (
        events.with_columns(pl.col("since").fill_null(-math.inf))
        .unique(part, keep="last", maintain_order=True)
        .sort(part)
    )


def _tracks_in(groups: Sequence[RowGroup]) -> tuple[int, int]:
    """The least and the greatest track id that ``groups`` may have."""
    ranges = [group.ranges.get("track_id", (0, _LAST)) for group in groups]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def frame_spans(groups: Sequence[RowGroup], most: int) -> list[tuple[int, int]]:
    """Spans of frames ``(first, before)`` that together hold ``groups``, in order.

    Each has about ``most`` rows, more where groups overlap.
    """
    anywhere = 0, _LAST
    starts = sorted(
        (*group.ranges.get("frame_index", anywhere), group.rows) for group in groups if group.rows
    )
    if not starts:
        return []
    cuts, held = [starts[0][0]], 0
    for first, _, rows in starts:
        if held + rows > most and held and first > cuts[-1]:
            cuts.append(first)
            held = 0
        held += rows
    end = max(last for _, last, _ in starts) + 1
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def _trajectories(rows: pl.DataFrame, identities: pl.DataFrame) -> pl.DataFrame:
    joined = rows.sort("timestamp", maintain_order=True).join_asof(
        identities.sort("since").select("track_id", "since", *_IDENTITY_COLUMNS),
        left_on="timestamp",
        right_on="since",
        by="track_id",
        check_sortedness=False,
    )
    rows = joined.select(*TRAJECTORY, "frame_width", "frame_height")
    is_known = pl.col("global_id").is_not_null()
    state = pl.when(is_known).then(pl.col("state").fill_null("probable")).otherwise(_UNKNOWN)
    return (
        _once_a_frame(rows)
        .with_columns(state.alias("state"))
        .sort("frame_index", "track_id", maintain_order=True)
    )


def _once_a_frame(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of which the best one of a person in a frame alone has the identity."""
    frame = "frame_index", "global_id"
    # Neighbours are compared, because ranks within so many groups take several times as long.
    ordered = rows.sort(*frame, "score", "track_id", descending=[False, False, True, False])
    is_best = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in frame)
    return ordered.with_columns(
        pl.when(is_best).then(pl.col(name)).alias(name) for name in _IDENTITY_COLUMNS
    )
