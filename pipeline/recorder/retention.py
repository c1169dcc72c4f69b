"""Removes data that is older than the site's retention limits.

Ages are measured in the run's own time, that of its frames, so the same recording loses the same
rows whenever and however fast it is processed. While a live run has no new frames, and after a run
has ended, wall-clock time is added.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config.schema import RetentionConfig
from pipeline.run_directory import schema
from pipeline.run_directory.progress import read_cameras
from pipeline.run_directory.rewriting import Removed, remove_all, remove_derived, rewrite
from pipeline.run_directory.schema import CameraRecord
from pipeline.run_directory.segments import segments

# Tolerated delay of a removal: as a fraction of the shortest limit, and at most in seconds.
_LATE, _MOST_LATE_S = 0.05, 600.0
_LIVE = ("rtcp", "arrival")

Times = NDArray[np.float64]


class Retention:
    """Removes data older than ``config`` allows from the run directory ``folder``."""

    def __init__(self, folder: Path, config: RetentionConfig) -> None:
        self._folder = folder
        self._config = config
        # When each segment has to be checked again. Most are checked twice in all.
        self._due: dict[Path, float] = {}
        self._next = -np.inf

    def remove_when_due(self, now: float) -> Removed:
        """Call `remove` if the tolerated delay has passed since the last call."""
        shortest = self._config.shortest_s
        if shortest is None or now < self._next:
            return Counter()
        self._next = now + min(_LATE * shortest, _MOST_LATE_S)
        return self.remove(now)

    def remove(self, now: float) -> Removed:
        """Remove what has expired at ``now``, seconds UTC of the run; returns what was removed.

        After a crash it can be called again and removes the rest. If any rows were removed, the
        report and exports made from them are deleted too. Raises OSError, and UserError for a
        damaged segment.
        """
        config = self._config
        removed: Removed = Counter()
        if config.observations_s is not None:
            for folder in sorted((self._folder / "observations").glob("camera=*")):
                count = self._rows(
                    folder, schema.OBSERVATIONS, "timestamp", now - config.observations_s
                )
                removed["observations"] += count
        if config.identities_s is not None:
            folder = self._folder / "identities"
            count = self._rows(folder, schema.IDENTITIES, "at", now - config.identities_s)
            removed["identity events"] += count
        removed += self._tracklets(now)
        if config.video_s is not None:
            removed["videos"] += self._videos(now - config.video_s)
        removed = +removed
        return removed + remove_derived(self._folder) if removed else removed

    def _rows(self, folder: Path, columns: pa.Schema, time: str, oldest: float) -> int:
        def change(table: pa.Table) -> pa.Table:
            return _without(table, _times(table, time) < oldest)

        def next_old(table: pa.Table) -> float:
            return float(_times(table, time).min(initial=np.inf))

        return self._sweep(folder, columns, change, next_old, oldest)

    def _tracklets(self, now: float) -> Removed:
        """Remove tracklets with their thumbnails; thumbnails may expire earlier."""
        rows_s = _seconds(self._config.tracklets_s)
        pictures_s = min(_seconds(self._config.thumbnails_s), rows_s)
        removed: Removed = Counter()
        if np.isinf(pictures_s):
            return removed

        def change(table: pa.Table) -> pa.Table:
            ends = _times(table, "end")
            pictured = ~np.asarray(table["thumbnail"].is_null())
            faded = pictured & (ends < now - pictures_s)
            paths = [self._folder / path.as_py() for path in table["thumbnail"].filter(faded)]
            # Files first: a row without its file is harmless, a file without a row stays forever.
            removed["thumbnails"] += remove_all(paths)
            return _without(_without_pictures(table, faded), ends < now - rows_s)

        def next_old(table: pa.Table) -> float:
            ends = _times(table, "end")
            pictured = ~np.asarray(table["thumbnail"].is_null())
            return float(np.where(pictured, ends + pictures_s, ends + rows_s).min(initial=np.inf))

        folder = self._folder / "tracklets"
        removed["tracklets"] += self._sweep(folder, schema.TRACKLETS, change, next_old, now)
        return removed

    def _sweep(
        self,
        folder: Path,
        columns: pa.Schema,
        change: Callable[[pa.Table], pa.Table],
        next_old: Callable[[pa.Table], float],
        until: float,
    ) -> int:
        """Rewrite the segments with rows older than ``until``; returns the number of removed rows.

        ``next_old`` returns when the remaining rows have to be checked again, in the unit of
        ``until``.
        """
        count = 0
        closed = segments(folder)
        for path in closed:
            if self._due.get(path, -np.inf) >= until:
                continue
            due: list[float] = []

            def changed(table: pa.Table, due: list[float] = due) -> pa.Table:
                left = change(table)
                due.append(next_old(left))
                return left

            count += rewrite(path, columns, changed, last=path == closed[-1])
            self._due[path] = due[-1]
        existing = set(closed)
        for path in [p for p in self._due if p.parent == folder and p not in existing]:
            del self._due[path]
        return count

    def _videos(self, oldest: float) -> int:
        ended = [c.camera_id for c in read_cameras(self._folder) if c.frames and c.end < oldest]
        return remove_all(self._folder / "video" / f"{camera_id}.mp4" for camera_id in ended)


class RunClock:
    """The time of a run being recorded: that of its latest frame.

    In a live run without new frames, time elapsed on ``clock`` (monotonic seconds) is added.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest = -np.inf
        self._reached = clock()

    def now(self, cameras: Iterable[CameraRecord]) -> float:
        """The current time of the run, seconds UTC; -inf before the first frame."""
        cameras = list(cameras)
        latest = latest_frame_time(cameras)
        if latest > self._latest:
            self._latest, self._reached = latest, self._clock()
        waited = self._clock() - self._reached if is_live(cameras) else 0.0
        return self._latest + waited


def run_time_at(folder: Path, wall: float) -> float:
    """The time of a finished run at wall-clock time ``wall``, both seconds UTC.

    It is the time of the latest frame plus the time since it was recorded; -inf without frames.
    Raises UserError when the run directory is damaged.
    """
    cameras = read_cameras(folder)
    latest = latest_frame_time(cameras)
    if latest == -np.inf:
        return latest
    since = max(wall - (folder / "cameras.json").stat().st_mtime, 0.0)
    # A copied file has a new modification time; frames of live cameras have true timestamps.
    return max(latest + since, wall if is_live(cameras) else -np.inf)


def latest_frame_time(cameras: Iterable[CameraRecord]) -> float:
    """The time of the latest frame of all cameras, seconds UTC; -inf when there is none."""
    return max((camera.end for camera in cameras if camera.frames), default=-np.inf)


def is_live(cameras: Iterable[CameraRecord]) -> bool:
    """Whether any of the cameras is live."""
    return any(camera.timestamp_origin in _LIVE for camera in cameras)


def _seconds(given: float | None) -> float:
    return np.inf if given is None else given


def _times(table: pa.Table, column: str) -> Times:
    return np.asarray(table[column].to_numpy(), np.float64)


def _without(table: pa.Table, old: NDArray[np.bool_]) -> pa.Table:
    return table.filter(pa.array(~old)) if old.any() else table


def _without_pictures(table: pa.Table, faded: NDArray[np.bool_]) -> pa.Table:
    if not faded.any():
        return table
    column = table.schema.get_field_index("thumbnail")
    left = pc.if_else(pa.array(faded), pa.scalar(None, pa.string()), table["thumbnail"])
    return table.set_column(column, table.schema.field(column), left)
